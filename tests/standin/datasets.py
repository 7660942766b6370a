"""The upstreams behind the shipped datasets: invented rows in the keys and the order that akshare relies on."""

import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Query = dict[str, str]

_CONDITION = re.compile(r"\(\s*(\w+)\s*(>=|<=|=)\s*[\"']([^\"']*)[\"']\s*\)")


def _row(keys: str, **values: object) -> Row:
    """Return a row with these keys in order; those without a value are null."""
    return {key: values.get(key) for key in keys.split()}


_BLOCK = (
    "TRADE_DATE SECURITY_CODE SECUCODE SECURITY_NAME_ABBR CHANGE_RATE CLOSE_PRICE DEAL_PRICE PREMIUM_RATIO DEAL_VOLUME"
    " DEAL_AMT TURNOVER_RATE BUYER_NAME SELLER_NAME CHANGE_RATE_1DAYS CHANGE_RATE_5DAYS CHANGE_RATE_10DAYS"
    " CHANGE_RATE_20DAYS BUYER_CODE SELLER_CODE"
)
#: The thirteen keys of a row of the Shanghai exchange; the names of four are not known and not used.
_SSE = "creditType opDate rqchl rqmcl rqyl rqylje rqyebl rzche rzmre rzmrebl rzye securityAbbr stockCode"

_NAME_CHANGE = ("变更日期", "证券代码", "证券简称", "变更前简称", "变更后简称")


def invented() -> dict[str, list[Row]]:
    """Return the rows of each report by its name, of Monday 2025-04-07 and the days before."""
    return {
        "RPT_DATA_BLOCKTRADE": [
            _row(
                _BLOCK,
                TRADE_DATE=f"{day} 00:00:00", SECURITY_CODE="600519", SECURITY_NAME_ABBR="贵州茅台", CHANGE_RATE=-3.1,
                CLOSE_PRICE=1500.0, DEAL_PRICE=1470.0, PREMIUM_RATIO=-0.02, DEAL_VOLUME=20000.0, DEAL_AMT=29400000.0,
                TURNOVER_RATE=0.0016, BUYER_NAME="机构专用", SELLER_NAME="某证券上海分公司",
            )
            for day in ("2025-04-03", "2025-04-07")
        ],
        **_by_period(),
        **_by_day(),
        **_lists(),
        "sina_statements": _sina_statements(),
        "sina_unusual": [
            {
                "day": "2025-04-07", "indicator": indicator,
                "cells": (1, "600519", "贵州茅台", 1500.0, 7.12, 12345.67, 98765.43, "查看详情"),
            }
            for indicator in ("涨幅偏离值达7%的证券", "振幅值达15%的证券")
        ],
        "sse_margin": [
            _row(
                _SSE,
                opDate="20250407", rqchl=300, rqmcl=1200, rqyl=51000, rzche=2500000, rzmre=4000000, rzye=910000000,
                securityAbbr="贵州茅台", stockCode="600519",
            ),
            _row(
                _SSE,
                opDate="20250407", rqchl=0, rqmcl=0, rqyl=700, rzche=100, rzmre=200, rzye=30000,
                securityAbbr="300ETF", stockCode="510300",
            ),
        ],
        "szse_margin": [
            {
                "证券代码": "000001", "证券简称": "平安银行", "融资买入额(元)": "12,345", "融资余额(元)": "5,000,000",
                "融券卖出量(股/份)": "100", "融券余量(股/份)": "2,000", "融券余额(元)": "22,000",
                "融资融券余额(元)": "5,022,000",
            }
        ],
    }  # fmt: skip


_PLAN = (
    "SECUCODE SECURITY_NAME_ABBR SECURITY_INNER_CODE ORG_CODE SECURITY_CODE BONUS_IT_RATIO BONUS_RATIO IT_RATIO"
    " PRETAX_BONUS_RMB PLAN_NOTICE_DATE EQUITY_RECORD_DATE EX_DIVIDEND_DATE REPORT_DATE ASSIGN_PROGRESS"
    " IMPL_PLAN_PROFILE NOTICE_DATE MARKET_TYPE EX_DIVIDEND_DAYS IS_KCB BASIC_EPS BVPS PER_CAPITAL_RESERVE"
    " PER_UNASSIGN_PROFIT PNP_YOY_RATIO TOTAL_SHARES PUBLISH_DATE DIVIDENT_RATIO D10_CLOSE_ADJCHRATE"
    " BD10_CLOSE_ADJCHRATE D30_CLOSE_ADJCHRATE"
)
_HOLDERS = (
    "SECURITY_CODE SECURITY_NAME_ABBR END_DATE INTERVAL_CHRATE AVG_MARKET_CAP AVG_HOLD_NUM TOTAL_MARKET_CAP"
    " TOTAL_A_SHARES HOLD_NOTICE_DATE HOLDER_NUM PRE_HOLDER_NUM HOLDER_NUM_CHANGE HOLDER_NUM_RATIO PRE_END_DATE f2 f3"
)
_EARNINGS = (
    "SECURITY_CODE SECURITY_NAME_ABBR TRADE_MARKET_CODE TRADE_MARKET SECURITY_TYPE_CODE SECURITY_TYPE UPDATE_DATE"
    " REPORTDATE BASIC_EPS DEDUCT_BASIC_EPS TOTAL_OPERATE_INCOME PARENT_NETPROFIT WEIGHTAVG_ROE YSTZ SJLTZ BPS MGJYXJJE"
    " XSMLL YSHZ SJLHZ ASSIGNDSCRPT PAYYEAR PUBLISHNAME ZXGXL NOTICE_DATE ORG_CODE TRADE_MARKET_ZJG ISNEW QDATE"
    " DATATYPE DATAYEAR DATEMMDD EITIME SECUCODE K1 K2 K3"
)
_APPOINTED = (
    "SECUCODE SECURITY_CODE SECURITY_NAME_ABBR REPORT_DATE FIRST_APPOINT_DATE FIRST_CHANGE_DATE SECOND_CHANGE_DATE"
    " THIRD_CHANGE_DATE ACTUAL_PUBLISH_DATE"
)


def plans() -> list[Row]:
    """Return the dividend plans of 2024; another part of the stand-in has those that follow from a market."""
    return [
        _row(
            _PLAN,
            SECURITY_NAME_ABBR="宁德时代", SECURITY_CODE="300750", PRETAX_BONUS_RMB=cash, BONUS_IT_RATIO=bonus,
            PLAN_NOTICE_DATE="2025-03-15 00:00:00", REPORT_DATE="2024-12-31 00:00:00",
            ASSIGN_PROGRESS="董事会决议通过",
            NOTICE_DATE="2025-03-15 00:00:00",
        )
        for cash, bonus in ((20.11, None), (30.17, 8.0))
    ]  # fmt: skip


def _sina_statements() -> list[Row]:
    """Return two periods of a company and one of a bank; a heading has no value, as at Sina."""
    company = {
        "fzb": lambda year: [
            ("流动资产", None), ("货币资金", 59e9), ("资产总计", 298.9e9 - year), ("负债合计", 56.9e9),
            ("所有者权益(或股东权益)合计", 242e9 - year),
        ],
        "lrb": lambda year: [
            ("营业总收入", 174.144e9 - year), ("营业收入", 170.899e9), ("利润总额", 119.639e9), ("净利润", 89.335e9),
            ("归属于母公司所有者的净利润", 86.228e9), ("少数股东损益", 3.107e9),
        ],
        "llb": lambda year: [
            ("一、经营活动产生的现金流量", None), ("经营活动产生的现金流量净额", 92.464e9 - year),
            ("投资活动产生的现金流量净额", -1.785e9), ("筹资活动产生的现金流量净额", -71.068e9),
            ("现金及现金等价物净增加额", 19.61e9),
        ],
    }  # fmt: skip
    bank = {
        "fzb": [("资产总计", 5769.27e9), ("负债合计", 5274.428e9), ("股东权益合计", 494.842e9)],
        "lrb": [("营业收入", 146.695e9), ("利润总额", 54.738e9), ("归属于母公司的净利润", 44.508e9)],
        "llb": [
            ("经营活动产生的现金流量净额", 63.3e9), ("投资活动产生的现金流量净额", -50.1e9),
            ("筹资活动产生的现金流量净额", -20.2e9), ("现金及现金等价物净增加额", -7e9),
        ],
    }  # fmt: skip
    periods = (("20241231", "20250403", 0), ("20240930", "20241026", 1e9))
    rows = [
        {"code": "sh600519", "sheet": sheet, "period": period, "notice": notice, "items": items(less)}
        for sheet, items in company.items()
        for period, notice, less in periods
    ]
    of_bank = {"code": "sz000001", "period": "20241231", "notice": "20250315"}
    return rows + [of_bank | {"sheet": sheet, "items": items} for sheet, items in bank.items()]


def _by_period() -> dict[str, list[Row]]:
    """Return the reports of the year 2024."""
    year_end = "2024-12-31 00:00:00"
    return {
        "RPT_HOLDERNUM_DET": [
            _row(
                _HOLDERS,
                SECURITY_CODE="000001", SECURITY_NAME_ABBR="平安银行", END_DATE=year_end, AVG_MARKET_CAP=460000.0,
                AVG_HOLD_NUM=38811.6, TOTAL_A_SHARES=19405800000.0, HOLD_NOTICE_DATE="2025-03-15 00:00:00",
                HOLDER_NUM=500000, PRE_HOLDER_NUM=520000, HOLDER_NUM_CHANGE=-20000, HOLDER_NUM_RATIO=-3.8462,
                PRE_END_DATE="2024-09-30 00:00:00", f2=11.2, f3=-1.0,
            )
        ],
        "RPT_LICO_FN_CPD": [
            _row(
                _EARNINGS,
                SECURITY_CODE=code, SECURITY_NAME_ABBR=name, UPDATE_DATE="2025-04-03 00:00:00", REPORTDATE=year_end,
                BASIC_EPS=68.64, TOTAL_OPERATE_INCOME=174144000000.0, PARENT_NETPROFIT=86228000000.0,
                WEIGHTAVG_ROE=36.02,
                YSTZ=15.66, SJLTZ=15.38, BPS=185.56, MGJYXJJE=73.6, XSMLL=91.93, YSHZ=28.9, SJLHZ=33.1,
                PUBLISHNAME="酿酒",
            )
            for code, name in (("600519", "贵州茅台"), ("830799", "艾融软件"), ("400001", "某三板股"))
        ],
        "RPT_PUBLIC_BS_APPOIN": [
            _row(
                _APPOINTED,
                SECURITY_CODE="600519", SECURITY_NAME_ABBR="贵州茅台", REPORT_DATE=year_end,
                FIRST_APPOINT_DATE="2025-04-02 00:00:00", FIRST_CHANGE_DATE="2025-04-03 00:00:00",
                ACTUAL_PUBLISH_DATE="2025-04-03 00:00:00",
            )
        ],
    }  # fmt: skip


_UNLOCK = (
    "SECURITY_CODE SECURITY_NAME_ABBR FREE_DATE CURRENT_FREE_SHARES ABLE_FREE_SHARES LIFT_MARKET_CAP FREE_RATIO NEW"
    " B20_ADJCHRATE A20_ADJCHRATE FREE_SHARES_TYPE TOTAL_RATIO NON_FREE_SHARES BATCH_HOLDER_NUM"
)
_SUSPENDED = (
    "SECURITY_CODE SECURITY_NAME_ABBR SUSPEND_START_TIME SUSPEND_END_TIME SUSPEND_EXPIRE SUSPEND_REASON TRADE_MARKET"
    " SUSPEND_START_DATE PREDICT_RESUME_DATE TRADE_MARKET_CODE SECUCODE SECURITY_TYPE_CODE"
)
_INSTITUTIONS = (
    "SECUCODE SECURITY_NAME_ABBR SECURITY_CODE TRADE_DATE CLOSE_PRICE CHANGE_RATE BUY_TIMES SELL_TIMES BUY_AMT SELL_AMT"
    " NET_BUY_AMT ACCUM_AMOUNT RATIO TURNOVERRATE FREECAP EXPLANATION D1_CLOSE_ADJCHRATE D2_CLOSE_ADJCHRATE"
    " D3_CLOSE_ADJCHRATE D5_CLOSE_ADJCHRATE D10_CLOSE_ADJCHRATE MARKET TRADE_MARKET_CODE BUY_COUNT SELL_COUNT"
)
_SEATS = (
    "OPERATEDEPT_NAME ONLIST_DATE BUYER_APPEAR_NUM SELLER_APPEAR_NUM TOTAL_BUYAMT TOTAL_SELLAMT TOTAL_NETAMT BUY_STOCK"
    " OPERATEDEPT_CODE SECURITY_NAME_ABBR OPERATEDEPT_CODE_OLD ORG_NAME_ABBR"
)
_CHANNEL = (
    "MUTUAL_TYPE TRADE_DATE FUND_INFLOW NET_DEAL_AMT QUOTA_BALANCE ACCUM_DEAL_AMT BUY_AMT SELL_AMT LEAD_STOCKS_CODE"
    " LEAD_STOCKS_NAME LS_CHANGE_RATE INDEX_CLOSE_PRICE INDEX_CHANGE_RATE HOLD_MARKET_CAP"
)
_CAPITAL = (
    "SECUCODE SECURITY_CODE END_DATE TOTAL_SHARES LIMITED_SHARES LIMITED_OTHARS LIMITED_DOMESTIC_NATURAL FREE_SHARES"
    " LISTED_A_SHARES LIMITED_A_SHARES LIMITED_DOMESTIC_NOSTATE CHANGE_REASON"
)


def _by_day() -> dict[str, list[Row]]:
    """Return the reports of single days."""
    days = ("2025-03-31", "2025-04-01", "2025-04-02", "2025-04-03", "2025-04-07")
    return {
        "RPT_LIFT_STAGE": [
            _row(
                _UNLOCK,
                SECURITY_CODE="688981", SECURITY_NAME_ABBR="中芯国际", FREE_DATE="2025-07-16 00:00:00",
                CURRENT_FREE_SHARES=1200.5, ABLE_FREE_SHARES=1500.0, LIFT_MARKET_CAP=98000.0, FREE_RATIO=0.031,
                NEW=81.6,
                FREE_SHARES_TYPE="首发战略配售股份",
            )
        ],
        "RPT_CUSTOM_SUSPEND_DATA_INTERFACE": [
            _row(
                _SUSPENDED,
                SECURITY_CODE="000002", SECURITY_NAME_ABBR="万 科Ａ", SUSPEND_START_TIME="2025-04-07 09:30:00",
                SUSPEND_EXPIRE="连续停牌", SUSPEND_REASON="拟筹划重大资产重组", TRADE_MARKET="深交所主板",
                SUSPEND_START_DATE="2025-04-07 00:00:00", PREDICT_RESUME_DATE="2025-04-21 00:00:00",
            )
        ],
        "RPT_ORGANIZATION_TRADE_DETAILS": [
            _row(
                _INSTITUTIONS,
                SECURITY_NAME_ABBR="平安银行", SECURITY_CODE="000001", TRADE_DATE=f"{day} 00:00:00", CLOSE_PRICE=11.0,
                CHANGE_RATE=10.0, BUY_TIMES=3, SELL_TIMES=1, BUY_AMT=5000000.0, SELL_AMT=1500000.0,
                NET_BUY_AMT=3500000.0,
                ACCUM_AMOUNT=90000000.0, TURNOVERRATE=4.2, FREECAP=120.5, EXPLANATION="日涨幅偏离值达到7%的前5只证券",
            )
            for day in days
        ],
        "RPT_OPERATEDEPT_ACTIVE": [
            _row(
                _SEATS,
                OPERATEDEPT_NAME="某证券上海分公司", ONLIST_DATE=f"{day} 00:00:00", BUYER_APPEAR_NUM=4,
                SELLER_APPEAR_NUM=2,
                TOTAL_BUYAMT=80000000.0, TOTAL_SELLAMT=30000000.0, TOTAL_NETAMT=50000000.0,
                OPERATEDEPT_CODE="10000123",
                SECURITY_NAME_ABBR="平安银行 万科A",
            )
            for day in days
        ],
        "RPT_MUTUAL_DEAL_HISTORY": [
            _row(
                _CHANNEL,
                MUTUAL_TYPE=channel, TRADE_DATE=f"{day} 00:00:00", FUND_INFLOW=1520.5, NET_DEAL_AMT=net,
                QUOTA_BALANCE=50479.5, ACCUM_DEAL_AMT=900000.0, BUY_AMT=bought, SELL_AMT=sold,
                LEAD_STOCKS_CODE="600519.SH",
                LEAD_STOCKS_NAME="贵州茅台", LS_CHANGE_RATE=1.5, INDEX_CLOSE_PRICE=3096.58, INDEX_CHANGE_RATE=-7.34,
                HOLD_MARKET_CAP=held,
            )
            for channel in ("001", "003")
            for day, net, bought, sold, held in (
                ("2024-08-16", 1234.0, 30234.0, 29000.0, 1200000000000.0),
                ("2025-04-07", None, None, None, None),
            )
        ],
        "RPT_F10_EH_EQUITY": [
            _row(
                _CAPITAL,
                SECUCODE="600519.SH", SECURITY_CODE="600519", END_DATE="2025-01-08 00:00:00", TOTAL_SHARES=1256197800,
                FREE_SHARES=1256197800, LISTED_A_SHARES=1256197800, CHANGE_REASON="回购",
            )
        ],
    }  # fmt: skip


_POOLS = {
    "/getTopicZTPool": "c m n p zdp amount ltsz tshare hs lbc fbt lbt fund zbc hybk zttj",
    "/getTopicDTPool": "c m n p zdp amount ltsz tshare pe hs fund lbt fba days oc hybk",
}


def _lists() -> dict[str, list[Row]]:
    """Return East Money's lists by their selection, its pools, and the lists of an index."""
    board = {"f3": 1.2, "f8": 2.5, "f20": 1500000000000.0, "f104": 30, "f105": 12, "f128": "某股", "f136": 5.0}
    index = {
        "f2": 3096.58,
        "f3": -7.34,
        "f4": -245.43,
        "f5": 7654321,
        "f6": 698765432100.0,
        "f15": 3200.0,
        "f16": 3040.0,
    }
    limit = {"c": "000001", "m": 0, "n": "平安银行", "amount": 500000000, "ltsz": 2e11, "tshare": 2.1e11}
    constituent = {
        "日期": 20250407, "指数代码": 300, "指数名称": "沪深300", "指数英文名称": "CSI 300", "成分券代码": 1,
        "成分券名称": "平安银行", "成分券英文名称": "PAB", "交易所": "深圳证券交易所", "交易所英文名称": "SZSE",
    }  # fmt: skip
    return {
        "m:90 t:2 f:!50": [{"f12": "BK0475", "f14": "银行", **board}],
        "m:90 t:3 f:!50": [{"f12": "BK0596", "f14": "融资融券", **board}],
        "b:BK0475 f:!50": [{"f12": "000001", "f14": "平安银行", "f3": 1.0}, {"f12": "601398", "f14": "工商银行",
         "f3": 0.5}],
        "b:BK0596 f:!50": [{"f12": "600519", "f14": "贵州茅台", "f3": -3.1}],
        "m:1+t:1": [
            {"f12": "000001", "f14": "上证指数", "f17": 3193.1, "f18": 3342.01, **index},
            {"f12": "000999", "f14": "未发布", **dict.fromkeys(("f2", "f3", "f5", "f6", "f15", "f16", "f17", "f18"),
             "-")},
        ],
        "m:0 t:5": [{"f12": "399001", "f14": "深证成指", "f17": 3193.1, "f18": 3342.01, **index}],
        "/getTopicZTPool": [
            {
                **limit, "p": 11000, "zdp": 10.0, "hs": 2.5, "lbc": 2, "fbt": 92500, "lbt": 145900, "fund": 88000000,
                "zbc": 1, "hybk": "银行", "zttj": {"days": 3, "ct": 2},
            }
        ],
        "/getTopicDTPool": [
            {
                **limit, "p": 9000, "zdp": -10.0, "pe": 4.5, "hs": 2.5, "fund": 66000000, "lbt": 145900,
                 "fba": 12000000,
                "days": 1, "oc": 0, "hybk": "银行",
            }
        ],
        "csindex": [constituent],
        "szse_names": [
            dict(zip(_NAME_CHANGE, values, strict=True))
            for values in (
                ("2012-08-02", "000001", "平安银行", "深发展Ａ", "平安银行"),
                ("2007-06-20", "000001", "平安银行", "S深发展A", "深发展A"),
            )
        ],
    }  # fmt: skip


class DatasetAnswers:
    """Answers questions about the reports behind the shipped datasets.

    Attributes:
        rows: Report to its rows; tests change them.
        answers_any_day: Whether reports ignore the requested days, as some upstreams do before they have them.
    """

    def __init__(self) -> None:
        self.rows = invented()
        self.answers_any_day = False

    def answer(self, path: str, query: Query) -> bytes | None:
        """Return the body of the answer; None if another part of the stand-in knows the address."""
        routes: dict[str, Callable[[], bytes | None]] = {
            "/marketdata/tradedata/queryMargin.do": lambda: self._sse(query["detailsDate"]),
            "/api/report/ShowReport": lambda: self._szse(query),
            "/getTopicZTPool": lambda: self._pool(path, query),
            "/getTopicDTPool": lambda: self._pool(path, query),
        }
        if path in routes:
            return routes[path]()
        if match := re.search(r"/(\d{6})cons\.xls$", path):
            return _xlsx([row | {"指数代码": int(match[1])} for row in self.rows["csindex"]])
        if path.endswith("/CompanyFinanceService.getFinanceReport2022"):
            return self._financials(query["paperCode"], query["source"])
        if path.endswith("/kind/lhb/index.phtml"):
            return self._unusual(query["tradedate"])
        if path.endswith("/api/data/v1/get") and query["reportName"] in self.rows:
            return self._report(query)
        return None

    def _unusual(self, day: str) -> bytes:
        """Return Sina's page of a day: a table for each indicator, whose first row is the indicator."""
        heads = ("序号", "股票代码", "股票名称", "收盘价", "对应值", "成交量", "成交额", "查看详情")
        rows = [row for row in self.rows["sina_unusual"] if row["day"] == day]
        tables = "".join(
            f'<table class="list_table"><tr><td colspan="8">{indicator}</td></tr>'
            + "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in (heads, *listed))
            + "</table>"
            for indicator in dict.fromkeys(row["indicator"] for row in rows)
            if (listed := [row["cells"] for row in rows if row["indicator"] == indicator])
        )
        return f'<html><body><div class="list">{tables}</div></body></html>'.encode()

    def _financials(self, code: str, sheet: str) -> bytes:
        """Return Sina's statements of a company, the newest period first, each item with a title and a value."""
        rows = [row for row in self.rows["sina_statements"] if (row["code"], row["sheet"]) == (code, sheet)]
        data = {
            "report_count": f"{len(rows)}",
            "report_date": [{"date_value": row["period"], "date_description": "", "date_type": 4} for row in rows],
            "report_list": {
                row["period"]: {
                    "rType": "合并期末", "rCurrency": "CNY", "data_source": "定期报告", "is_audit": "已审计",
                    "publish_date": row["notice"], "update_time": 1743696000,
                    "data": [
                        {"item_field": "", "item_title": title, "item_value": value and f"{value:.6f}"}
                        for title, value in row["items"]
                    ],
                }
                for row in rows
            },
        }  # fmt: skip
        return _json({"result": {"status": {"code": 0}, "data": data}})

    def _report(self, query: Query) -> bytes:
        conditions = [] if self.answers_any_day else _CONDITION.findall(query.get("filter", ""))
        rows = [row for row in self.rows[query["reportName"]] if all(_obeys(row, *part) for part in conditions)]
        size, page = int(query["pageSize"]), int(query["pageNumber"])
        shown = rows[(page - 1) * size : page * size]
        if not shown:
            return _json({"version": None, "result": None, "success": False, "message": "返回数据为空", "code": 9201})
        result = {"pages": math.ceil(len(rows) / size), "data": shown, "count": len(rows)}
        return _json({"version": "1", "result": result, "success": True, "message": "ok", "code": 0})

    def _pool(self, path: str, query: Query) -> bytes:
        keys = _POOLS[path].split()
        rows = [{key: row[key] for key in keys} for row in self.rows[path]] if query["date"] == "20250407" else []
        return _json({"rc": 0, "data": {"tc": len(rows), "qdate": int(query["date"]), "pool": rows} if rows else None})

    def _sse(self, day: str) -> bytes:
        rows = [row for row in self.rows["sse_margin"] if row["opDate"] == day]
        return _json({"pageHelp": {"total": len(rows)}, "result": rows})

    def _szse(self, query: Query) -> bytes | None:
        if query["CATALOGID"] == "SSGSGMXX":
            return _xlsx(self.rows["szse_names"])
        if query["CATALOGID"] != "1837_xxpl":
            return None
        return _xlsx(self.rows["szse_margin"])


def _obeys(row: Row, key: str, operator: str, value: str) -> bool:
    """Say whether a row obeys a condition; one about a key that it does not have holds."""
    if key == "DATETIME":  # of suspensions: those that have begun by that day
        key, operator = "SUSPEND_START_DATE", "<="
    if key not in row:
        return True
    own, wanted = str(row[key])[:10], value[:10]
    return {">=": own >= wanted, "<=": own <= wanted, "=": own == wanted}[operator]


def _xlsx(rows: list[Row]) -> bytes:
    import pandas as pd

    out = io.BytesIO()
    pd.DataFrame(rows).to_excel(out, index=False)
    return out.getvalue()


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
