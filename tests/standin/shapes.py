"""The upstreams' answers: a market's frames in the shapes and key orders that akshare reads."""

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl
from standin.datasets import DatasetAnswers
from standin.market import Market
from standin.sina import klc2, trading_days

Row = dict[str, Any]
Query = dict[str, str]

_COMMON = (
    "SECUCODE SECURITY_CODE INDUSTRY_CODE ORG_CODE SECURITY_NAME_ABBR INDUSTRY_NAME MARKET SECURITY_TYPE_CODE "
    "TRADE_MARKET_CODE DATE_TYPE_CODE REPORT_TYPE_CODE DATA_STATE NOTICE_DATE REPORT_DATE "
)
#: Report to its keys in order, and our columns to its keys.
REPORTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "RPT_DMSK_FN_BALANCE": (
        "balance_sheets",
        _COMMON
        + "TOTAL_ASSETS FIXED_ASSET MONETARYFUNDS MONETARYFUNDS_RATIO ACCOUNTS_RECE ACCOUNTS_RECE_RATIO INVENTORY"
        " INVENTORY_RATIO TOTAL_LIABILITIES ACCOUNTS_PAYABLE ACCOUNTS_PAYABLE_RATIO ADVANCE_RECEIVABLES"
        " ADVANCE_RECEIVABLES_RATIO TOTAL_EQUITY TOTAL_EQUITY_RATIO TOTAL_ASSETS_RATIO TOTAL_LIAB_RATIO CURRENT_RATIO"
        " DEBT_ASSET_RATIO CASH_DEPOSIT_PBC CDP_RATIO LOAN_ADVANCE LOAN_ADVANCE_RATIO AVAILABLE_SALE_FINASSET"
        " ASF_RATIO LOAN_PBC LOAN_PBC_RATIO ACCEPT_DEPOSIT ACCEPT_DEPOSIT_RATIO SELL_REPO_FINASSET SRF_RATIO"
        " SETTLE_EXCESS_RESERVE SER_RATIO BORROW_FUND BORROW_FUND_RATIO AGENT_TRADE_SECURITY ATS_RATIO PREMIUM_RECE"
        " PREMIUM_RECE_RATIO SHORT_LOAN SHORT_LOAN_RATIO ADVANCE_PREMIUM ADVANCE_PREMIUM_RATIO",
        {
            "TOTAL_ASSETS": "total_assets",
            "MONETARYFUNDS": "cash",
            "ACCOUNTS_RECE": "receivables",
            "INVENTORY": "inventory",
            "TOTAL_LIABILITIES": "total_liabilities",
            "ACCOUNTS_PAYABLE": "payables",
            "TOTAL_EQUITY": "total_equity",
        },
    ),
    "RPT_DMSK_FN_INCOME": (
        "income_statements",
        _COMMON + "PARENT_NETPROFIT TOTAL_OPERATE_INCOME TOTAL_OPERATE_COST TOE_RATIO OPERATE_COST OPERATE_EXPENSE"
        " OPERATE_EXPENSE_RATIO SALE_EXPENSE MANAGE_EXPENSE FINANCE_EXPENSE OPERATE_PROFIT TOTAL_PROFIT INCOME_TAX"
        " OPERATE_INCOME INTEREST_NI INTEREST_NI_RATIO FEE_COMMISSION_NI FCN_RATIO OPERATE_TAX_ADD"
        " MANAGE_EXPENSE_BANK FCN_CALCULATE INTEREST_NI_CALCULATE EARNED_PREMIUM EARNED_PREMIUM_RATIO INVEST_INCOME"
        " SURRENDER_VALUE COMPENSATE_EXPENSE TOI_RATIO OPERATE_PROFIT_RATIO PARENT_NETPROFIT_RATIO"
        " DEDUCT_PARENT_NETPROFIT DPN_RATIO",
        {
            "TOTAL_OPERATE_INCOME": "revenue",
            "TOTAL_OPERATE_COST": "operating_cost",
            "OPERATE_PROFIT": "operating_profit",
            "TOTAL_PROFIT": "total_profit",
            "PARENT_NETPROFIT": "net_profit",
        },
    ),
    "RPT_DMSK_FN_CASHFLOW": (
        "cash_flows",
        _COMMON + "NETCASH_OPERATE NETCASH_OPERATE_RATIO SALES_SERVICES SALES_SERVICES_RATIO PAY_STAFF_CASH PSC_RATIO"
        " NETCASH_INVEST NETCASH_INVEST_RATIO RECEIVE_INVEST_INCOME RII_RATIO CONSTRUCT_LONG_ASSET CLA_RATIO"
        " NETCASH_FINANCE NETCASH_FINANCE_RATIO CCE_ADD CCE_ADD_RATIO CUSTOMER_DEPOSIT_ADD CDA_RATIO"
        " DEPOSIT_IOFI_OTHER DIO_RATIO LOAN_ADVANCE_ADD LAA_RATIO RECEIVE_INTEREST_COMMISSION RIC_RATIO"
        " INVEST_PAY_CASH IPC_RATIO BEGIN_CCE BEGIN_CCE_RATIO END_CCE END_CCE_RATIO RECEIVE_ORIGIC_PREMIUM ROP_RATIO"
        " PAY_ORIGIC_COMPENSATE POC_RATIO",
        {
            "NETCASH_OPERATE": "operating",
            "NETCASH_INVEST": "investing",
            "NETCASH_FINANCE": "financing",
            "CCE_ADD": "net_change",
        },
    ),
}
_BILLBOARD = (
    "SECURITY_CODE SECUCODE SECURITY_NAME_ABBR TRADE_DATE EXPLAIN CLOSE_PRICE CHANGE_RATE BILLBOARD_NET_AMT"
    " BILLBOARD_BUY_AMT BILLBOARD_SELL_AMT BILLBOARD_DEAL_AMT ACCUM_AMOUNT DEAL_NET_RATIO DEAL_AMOUNT_RATIO"
    " TURNOVERRATE FREE_MARKET_CAP EXPLANATION D1_CLOSE_ADJCHRATE D2_CLOSE_ADJCHRATE D5_CLOSE_ADJCHRATE"
    " D10_CLOSE_ADJCHRATE SECURITY_TYPE_CODE"
)
_BONUS = (
    "SECUCODE SECURITY_NAME_ABBR SECURITY_INNER_CODE ORG_CODE SECURITY_CODE BONUS_IT_RATIO BONUS_RATIO IT_RATIO"
    " PRETAX_BONUS_RMB PLAN_NOTICE_DATE EQUITY_RECORD_DATE EX_DIVIDEND_DATE REPORT_DATE ASSIGN_PROGRESS"
    " IMPL_PLAN_PROFILE NOTICE_DATE MARKET_TYPE EX_DIVIDEND_DAYS IS_KCB BASIC_EPS BVPS PER_CAPITAL_RESERVE"
    " PER_UNASSIGN_PROFIT PNP_YOY_RATIO TOTAL_SHARES PUBLISH_DATE DIVIDENT_RATIO D10_CLOSE_ADJCHRATE"
    " BD10_CLOSE_ADJCHRATE D30_CLOSE_ADJCHRATE"
)
#: Asking for one of these brings others.
_BRINGS = {"f128": ("f140", "f141"), "f205": ("f206",), "f258": ("f259",), "f261": ("f262",)}


class Answers:
    """Answers questions about a market as the upstreams do."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.datasets = DatasetAnswers()

    def answer(self, host: str, path: str, query: Query, body: Query) -> bytes | None:
        """Return the body of the answer; None when nothing is known at that address."""
        if (of_dataset := self.datasets.answer(path, query)) is not None:
            return of_dataset
        routes: dict[str, Callable[[], bytes | None]] = {
            "/api/qt/clist/get": lambda: self._clist(query),
            "/api/data/v1/get": lambda: self._datacenter(query),
            "/sseQuery/commonQuery.do": lambda: self._sse(query["STOCK_TYPE"]),
            "/commonQuery.do": self._sse_delisted,
            "/api/report/ShowReport": lambda: self._szse(query["CATALOGID"]),
            "/realstock/company/klc_td_sh.txt": self._trading_days,
            "/nqxxController/nqxxCnzq.do": lambda: self._bse(int(body["page"])),
        }
        if path in routes:
            return routes[path]()
        if found := re.fullmatch(r"/realstock/company/(\w+)/hisdata_klc2/klc_kl\.js", path):
            return self._sina(found[1])
        if "KKE_ShareAmount" in path:
            return self._sina_shares(query["symbol"])
        return None

    def _trading_days(self) -> bytes:
        return f'var datelist="{trading_days(self.market.trading_days)}";var KLC_TD_SH=datelist;'.encode()

    # ---- East Money's lists

    def _clist(self, query: Query) -> bytes:
        fields = query["fields"].split(",")
        rows = self._listed(query["fs"], fields)
        by = query.get("fid")
        if by:
            rows = sorted(
                rows, key=lambda row: (row[by] != "-", row[by] if row[by] != "-" else 0), reverse=query["po"] == "1"
            )
        size, page = min(int(query["pz"]), 100), int(query["pn"])
        wanted = sorted({*fields, *(more for name in fields for more in _BRINGS.get(name, ()))}, key=_clist_order)
        shown = [{name: row.get(name, 0) for name in wanted} for row in rows[(page - 1) * size : page * size]]
        data = {"total": len(rows), "diff": shown} if shown else None
        return _json({"rc": 0, "rt": 6, "svr": 1, "lt": 1, "full": 1, "dlmkts": "", "data": data})

    def _listed(self, fs: str, fields: list[str]) -> list[Row]:
        if fs in self.datasets.rows:
            return self.datasets.rows[fs]
        if fs == "m:0 t:81 s:2048":
            return [
                {"f12": row["symbol"][:6], "f14": row["name"], "f26": int(f"{row['list_date']:%Y%m%d}")}
                for row in self._stocks("BJ")
            ]
        if "f441" in fields:
            return [self._etf(row) for row in self.market.etfs.iter_rows(named=True)]
        for kind, number in (("sector", 2), ("concept", 3)):
            if fs == f"m:90 t:{number}":
                return self.market.raw.get(kind) or [
                    self._flow(row, row[kind], f"BK{n:04d}")
                    for n, row in enumerate(self.market.flows[kind].iter_rows(named=True))
                ]
        if "f184" in fields:
            return self.market.raw.get("stock_flow") or self._stock_flows()
        return self.market.raw.get("spot") or self._spot

    @cached_property
    def _spot(self) -> list[Row]:
        names = dict(self.market.stocks.select("symbol", "name").iter_rows())
        today = self.market.bars.filter(pl.col("date") == self.market.day)
        rows = [self._quote(bar, names.get(bar["symbol"], "无名")) for bar in today.iter_rows(named=True)]
        none = dict.fromkeys((f"f{number}" for number in (*range(2, 10), 15, 16, 17, 20, 21, 23)), "-")
        return rows + [
            {"f12": code, "f14": name, "f18": 2.71, **none, "f124": 0} for code, name in self.market.extra.items()
        ]

    def _quote(self, bar: Row, name: str) -> Row:
        common = {
            "f12": bar["symbol"][:6],
            "f13": int(bar["symbol"].endswith("SH")),
            "f14": name,
            "f18": bar["prev_close"],
        }
        if bar["suspended"]:
            return (
                common
                | dict.fromkeys(("f2", "f3", "f4", "f5", "f6", "f7", "f8", "f15", "f16", "f17"), "-")
                | {"f124": 0}
            )
        prices = {"f2": bar["close"], "f15": bar["high"], "f16": bar["low"], "f17": bar["open"]}
        before = bar["prev_close"] or bar["open"]
        moved = {"f3": round((bar["close"] / before - 1) * 100, 2), "f4": round(bar["close"] - before, 2)}
        traded = {"f5": round(bar["volume"] / 100), "f6": bar["amount"], "f8": bar["turnover"]}
        value = round(bar["close"] * self._floating(bar)) if bar["turnover"] else 0
        traded |= {"f9": 12.5, "f20": 2 * value, "f21": value, "f23": 1.8}
        return common | prices | moved | traded | {"f124": int(self.market.moment.timestamp())}

    @staticmethod
    def _floating(bar: Row) -> int:
        """The floating shares by which the market has its turnover."""
        return round(bar["volume"] / bar["turnover"] * 100)

    def _etf(self, row: Row) -> Row:
        prices = {
            "f2": row["price"],
            "f15": row["high"],
            "f16": row["low"],
            "f17": row["open"],
            "f18": row["prev_close"],
        }
        traded = {
            "f3": row["change_pct"],
            "f5": round((row["volume"] or 0) / 100),
            "f6": row["amount"],
            "f441": row["iopv"],
            "f402": 0.1,
        }
        dates = {"f124": int(self.market.moment.timestamp()), "f297": int(f"{row['date']:%Y%m%d}")}
        return (
            {"f12": row["symbol"][:6], "f14": row["name"]}
            | {k: "-" if v is None else v for k, v in (prices | traded).items()}
            | dates
        )

    def _stock_flows(self) -> list[Row]:
        flows = self.market.flows["stock"]
        rows = [self._flow(row, row["name"], row["symbol"][:6]) for row in flows.iter_rows(named=True)]
        resting = self.market.bars.filter((pl.col("date") == self.market.day) & pl.col("suspended"))["symbol"]
        none = dict.fromkeys(("f2", "f3", "f62", "f66", "f69", "f72", "f75", "f78", "f81", "f84", "f87", "f184"), "-")
        rows += [{"f12": symbol[:6], "f14": "停牌", **none, "f124": 0} for symbol in resting]
        # B shares are in this list too.
        b_share = {
            "f12": "900901",
            "f14": "云赛B股",
            "f3": 1.0,
            **dict.fromkeys(("f62", "f66", "f72", "f78", "f84"), 0.0),
        }
        return [*rows, {**b_share, "f124": int(self.market.moment.timestamp())}]

    def _flow(self, row: Row, name: str, code: str) -> Row:
        flows = {"f62": row["main_net"], "f66": row["super_large_net"], "f72": row["large_net"]}
        rest = {"f78": row["medium_net"], "f84": row["small_net"], "f3": row["change_pct"]}
        return {
            "f12": code,
            "f14": name,
            **flows,
            **rest,
            "f124": int(self.market.moment.timestamp()),
            "f204": "某股",
            "f205": "000001",
        }

    # ---- East Money's reports

    def _datacenter(self, query: Query) -> bytes:
        report = query["reportName"]
        if report == "RPT_DAILYBILLBOARD_DETAILSNEW":
            rows = self._billboard(query["filter"])
        elif report == "RPT_SHAREBONUS_DET":
            rows = self._distributions(query["filter"])
        elif report in REPORTS:
            rows = self._statement(report, query["filter"])
        else:
            return _json(
                {"version": None, "result": None, "success": False, "message": f"报表配置不存在,{report}", "code": 9501}
            )
        size, page = int(query["pageSize"]), int(query["pageNumber"])
        shown = rows[(page - 1) * size : page * size]
        if not shown:
            return _json({"version": None, "result": None, "success": False, "message": "返回数据为空", "code": 9201})
        result = {"pages": math.ceil(len(rows) / size), "data": shown, "count": len(rows)}
        return _json({"version": "1", "result": result, "success": True, "message": "ok", "code": 0})

    def _billboard(self, condition: str) -> list[Row]:
        if "billboard" in self.market.raw:
            return [dict.fromkeys(_BILLBOARD.split()) | row for row in self.market.raw["billboard"]]
        end, start = (date.fromisoformat(text) for text in re.findall(r"'([\d-]+)'", condition))
        rows = self.market.longhubang.filter(pl.col("date").is_between(start, end))
        known = {
            "SECURITY_CODE": lambda row: row["symbol"][:6],
            "SECUCODE": lambda row: row["symbol"],
            "SECURITY_NAME_ABBR": lambda row: row["name"],
            "TRADE_DATE": lambda row: f"{row['date']} 00:00:00",
            "CLOSE_PRICE": lambda row: row["close"],
            "CHANGE_RATE": lambda row: row["change_pct"],
            "BILLBOARD_NET_AMT": lambda row: row["net_amount"],
            "BILLBOARD_BUY_AMT": lambda row: row["buy_amount"],
            "BILLBOARD_SELL_AMT": lambda row: row["sell_amount"],
            "ACCUM_AMOUNT": lambda row: row["total_amount"],
            "TURNOVERRATE": lambda row: row["turnover"],
            "EXPLANATION": lambda row: row["reason"],
        }
        given: list[Row] = [
            {key: known[key](row) if key in known else None for key in _BILLBOARD.split()}
            for row in rows.iter_rows(named=True)
        ]
        # B shares are listed too.
        return given + [{**row, "SECURITY_CODE": "200002", "SECUCODE": "200002.SZ"} for row in given[:1]]

    def _distributions(self, condition: str) -> list[Row]:
        """Plans of a report period: the last year's end for ex-days up to August, this June's for later ones."""
        period = date.fromisoformat(re.findall(r"REPORT_DATE='([\d-]+)'", condition)[0])
        rows = []
        for action in self.market.actions.iter_rows(named=True):
            day = action["ex_date"]
            if period == (date(day.year - 1, 12, 31) if day.month < 9 else date(day.year, 6, 30)):
                # An ordinary dividend and a special one are two rows.
                parts = [round(10 * action["cash"] * 0.4, 4), round(10 * action["cash"] * 0.6, 4)]
                rows += [
                    _plan(action, period, cash, bonus)
                    for cash, bonus in zip(parts, (10 * action["bonus"], None), strict=True)
                ]
        if rows:  # a plan that is not carried out yet, and a B share
            rows.append(rows[0] | {"EX_DIVIDEND_DATE": None, "ASSIGN_PROGRESS": "董事会决议通过"})
            rows.append(rows[0] | {"SECURITY_CODE": "200002", "SECUCODE": "200002.SZ"})
        return rows

    def _statement(self, report: str, condition: str) -> list[Row]:
        table, keys, ours = REPORTS[report]
        period = date.fromisoformat(re.findall(r"REPORT_DATE='([\d-]+)'", condition)[0])
        rows = self.market.statements[table].filter(
            (pl.col("period") == period) & ~pl.col("symbol").str.ends_with("BJ")
        )
        return [_statement_row(row, keys.split(), ours) for row in rows.iter_rows(named=True)]

    # ---- the exchanges

    def _stocks(self, *exchanges: str, delisted: bool = False) -> Iterator[Row]:
        gone = pl.col("delist_date").is_not_null()
        frame = self.market.stocks.filter(pl.col("exchange").is_in(exchanges) & (gone if delisted else ~gone))
        yield from frame.iter_rows(named=True)

    def _sse(self, stock_type: str) -> bytes:
        board = {"1": "main", "8": "star"}[stock_type]
        rows = [
            {
                "A_STOCK_CODE": row["symbol"][:6],
                "B_STOCK_CODE": "-",
                "SEC_NAME_CN": row["name"],
                "SEC_NAME_FULL": row["name"],
                "COMPANY_ABBR": row["name"],
                "FULL_NAME": f"{row['name']}股份有限公司",
                "LIST_DATE": f"{row['list_date']:%Y%m%d}",
            }
            for row in self._stocks("SH")
            if row["board"] == board
        ]
        return _json({"pageHelp": {"total": len(rows)}, "result": rows})

    def _sse_delisted(self) -> bytes:
        rows = [
            {
                "COMPANY_CODE": row["symbol"][:6],
                "COMPANY_ABBR": row["name"],
                "LIST_DATE": f"{row['list_date']:%Y%m%d}",
                "DELIST_DATE": f"{row['delist_date']:%Y%m%d}",
            }
            for row in self._stocks("SH", delisted=True)
        ]
        return _json({"pageHelp": {"total": len(rows)}, "result": rows})

    def _szse(self, catalog: str) -> bytes:
        if catalog == "1110":
            labels = ("A股代码", "A股简称", "A股上市日期")
            traded = self.market.bars.filter(pl.col("volume") > 0, pl.col("turnover") > 0).sort("date")
            floating = {bar["symbol"]: f"{self._floating(bar):,}" for bar in traded.iter_rows(named=True)}
            other = {"板块": "主板", "A股总股本": "1,000", "所属行业": "C 制造业"}
            rows = [
                {
                    **other,
                    "A股流通股本": floating.get(row["symbol"], ""),
                    **dict(zip(labels, (row["symbol"][:6], row["name"], str(row["list_date"])), strict=True)),
                }
                for row in self._stocks("SZ")
            ]
        else:
            labels = ("证券代码", "证券简称", "上市日期", "终止上市日期")
            gone = self._stocks("SZ", delisted=True)
            rows = [
                dict(zip(labels, (r["symbol"][:6], r["name"], str(r["list_date"]), str(r["delist_date"])), strict=True))
                for r in gone
            ]
        import pandas as pd

        out = io.BytesIO()
        pd.DataFrame(rows).to_excel(out, index=False)
        return out.getvalue()

    def _bse(self, page: int, size: int = 20) -> bytes:
        rows = list(self._stocks("BJ"))
        # 48 keys, of which akshare knows the places of eight.
        shown = [
            {
                f"k{n:02d}": (
                    {
                        0: str(row["list_date"]),
                        38: row["symbol"][:6],
                        40: row["name"],
                        22: str(row["list_date"]),
                    }.get(n, "")
                )
                for n in range(48)
            }
            for row in rows[page * size : (page + 1) * size]
        ]
        body = [{"content": shown, "totalPages": math.ceil(len(rows) / size), "totalElements": len(rows)}, 0]
        return b"null(" + json.dumps(body, ensure_ascii=False).encode() + b")"

    # ---- Sina

    def _sina(self, name: str) -> bytes | None:
        symbol = f"{name[2:]}.{name[:2].upper()}"
        bars = self.market.bars.filter((pl.col("symbol") == symbol) & ~pl.col("suspended")).sort("date")
        if bars.is_empty():
            return None
        wanted = bars.select("date", "open", "high", "low", "close", "volume", "amount", "prev_close").rows()
        payload = klc2(wanted, states_closes=not symbol.endswith("BJ"))
        return f'var KLC_K2_{name}="{payload}";\n\n/* {"x" * 40} */'.encode()

    def _sina_shares(self, name: str) -> bytes:
        symbol = f"{name[2:]}.{name[:2].upper()}"
        bar = (
            self.market.bars.filter((pl.col("symbol") == symbol) & ~pl.col("suspended")).sort("date").row(0, named=True)
        )
        shares = round(bar["volume"] / (bar["turnover"] / 100)) / 10_000
        # The second change falls on a day without trading, as some do.
        known = [{"date": str(bar["date"]), "amount": f"{shares:g}"}, {"date": "2025-03-22", "amount": f"{shares:g}"}]
        return f"var KKE_ShareAmount_{name}=({_json(known).decode()});".encode()


def _clist_order(name: str) -> float:
    return 141.5 if name == "f136" else float(name[1:])


def _statement_row(row: Row, keys: list[str], ours: dict[str, str]) -> Row:
    known = {
        "SECUCODE": row["symbol"],
        "SECURITY_CODE": row["symbol"][:6],
        "SECURITY_NAME_ABBR": "某公司",
        "NOTICE_DATE": f"{row['notice_date']} 00:00:00",
        "REPORT_DATE": f"{row['period']} 00:00:00",
    }
    return {key: known.get(key) if key not in ours else row[ours[key]] for key in keys}


def _plan(action: Row, period: date, cash: float, bonus: float | None) -> Row:
    known = {
        "SECUCODE": action["symbol"],
        "SECURITY_NAME_ABBR": "某公司",
        "SECURITY_CODE": action["symbol"][:6],
        "BONUS_IT_RATIO": bonus or None,
        "PRETAX_BONUS_RMB": cash or None,
        "EX_DIVIDEND_DATE": f"{action['ex_date']} 00:00:00",
        "REPORT_DATE": f"{period} 00:00:00",
        "ASSIGN_PROGRESS": "实施分配",
        "NOTICE_DATE": f"{action['known_since']} 00:00:00",
        "EQUITY_RECORD_DATE": action["record_date"] and f"{action['record_date']} 00:00:00",
    }
    return {key: known.get(key) for key in _BONUS.split()}


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
