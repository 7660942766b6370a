"""What the stand-in serves: frames in the tables' own columns, so that tests compare what goes in with what comes
out."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl

from mystocks_dagster.market.calendar import published, shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.sources.protocol import MarketSource

FLOWS = ("stock", "sector", "concept")
STATEMENTS = ("balance_sheets", "income_statements", "cash_flows")


@dataclass
class Market:
    """A market as it stands after the close of `day`.

    Attributes:
        day: The session that the lists show.
        stocks: `stocks`, delisted ones included.
        bars: `daily_bars` of `day` and, for histories, of days before.
        etfs, longhubang, flows, statements: The tables of those names.
        actions: `corporate_actions`.
        extra: Codes in the whole-market list that have no price and are not listed, with their names.
        trading_days: What Sina's list states.
        raw: Rows to serve as they are, in place of those made from the frames: `spot`, `stock_flow`, `sector`,
            `concept` or `billboard`. This is how recorded answers come in; keys that they lack are filled.
    """

    day: date
    stocks: pl.DataFrame
    bars: pl.DataFrame
    etfs: pl.DataFrame
    longhubang: pl.DataFrame
    flows: dict[str, pl.DataFrame]
    statements: dict[str, pl.DataFrame]
    actions: pl.DataFrame = field(default_factory=TABLES["corporate_actions"].empty)
    extra: dict[str, str] = field(default_factory=dict)
    trading_days: list[date] = field(default_factory=lambda: published().sessions(published().first, published().last))
    raw: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        """When the lists last changed: some seconds after the close."""
        return datetime.combine(self.day, time(15, 0, 42), SHANGHAI)

    @classmethod
    def of(cls, source: MarketSource, day: date, *, sessions: int = 60) -> "Market":
        """Ask another source, such as the simulated one, for everything."""
        calendar = shanghai()
        days = calendar.sessions(day - timedelta(days=3 * sessions), day)[-sessions:]
        quarters = [date(day.year - 1, month, last) for month, last in ((9, 30), (12, 31))]
        return cls(
            day=day,
            stocks=source.stocks(include_delisted=True),
            bars=pl.concat(list(source.daily_bars(days))),
            etfs=source.quotes("etf_quotes"),
            longhubang=source.longhubang(days[0], day),
            flows={kind: source.capital_flow(kind, day) for kind in FLOWS},  # ty: ignore[invalid-argument-type]
            statements={table: source.statements(table, quarters) for table in STATEMENTS},  # ty: ignore[invalid-argument-type]
            actions=source.corporate_actions(days[0], day),
        )

    @classmethod
    def small(cls, day: date = date(2025, 4, 7), *, symbols: int = 24) -> "Market":
        """Make a market by hand: every number follows from the stock's place in the list."""
        listed = [f"{n:06d}.SZ" for n in range(1, symbols - 9)] + [
            "300750.SZ",
            "600519.SH",
            "601398.SH",
            "688981.SH",
            "689009.SH",
            "920001.BJ",
        ]
        days = shanghai().sessions(day - timedelta(days=60), day)[-30:]
        return cls(
            day=day,
            stocks=_stocks(listed, day),
            bars=pl.concat([_history(symbol, n, days) for n, symbol in enumerate(listed)]),
            etfs=_etfs(day),
            longhubang=_longhubang(days[-3:]),
            flows={kind: _flow(kind, listed, day) for kind in FLOWS},
            statements={table: _statements(table, listed, date(day.year - 1, 12, 31)) for table in STATEMENTS},
            actions=_actions(listed, days),
            extra={"000405": "鑫光退", "001400": "将上市股", "600001": "邯郸钢铁(退)"},
        )


#: The second stock of the small market rests on its last day, the third rested for three days, the fourth is ST and
#: paid 0.10 a share on the tenth day (the exchange rounded its reference price by one cent the other way).
RESTING, RESTED, PAYING = 1, 2, 3
PAID_ON, DIVIDEND = 10, 0.11


def _table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=TABLES[name].dtypes)


def _stocks(listed: list[str], day: date) -> pl.DataFrame:
    boards = {"00": "main", "60": "main", "30": "chinext", "68": "star", "92": "bse"}
    moment = datetime.combine(day, time(16), SHANGHAI)
    rows = [
        {
            "symbol": symbol,
            "name": f"*ST股{n}" if n == PAYING else f"股票{n}",
            "exchange": symbol[-2:],
            "board": boards[symbol[:2]],
            "is_st": n == PAYING,
            "list_date": date(2001, 1, 2) + timedelta(days=n),
            "delist_date": None,
            "updated_at": moment,
        }
        for n, symbol in enumerate(listed)
    ]
    for symbol, name, until in (
        ("600001.SH", "邯郸钢铁", date(2009, 12, 29)),
        ("000405.SZ", "鑫光退", date(2004, 9, 20)),
    ):
        gone = {"symbol": symbol, "name": name, "exchange": symbol[-2:], "board": "main", "is_st": False}
        rows.append({**gone, "list_date": date(1998, 1, 22), "delist_date": until, "updated_at": moment})
    return _table("stocks", rows).sort("symbol")


def _history(symbol: str, n: int, days: list[date]) -> pl.DataFrame:
    rows = []
    close = 10.0 + n
    for k, day in enumerate(days):
        before = round(close - DIVIDEND, 2) if (n, k) == (PAYING, PAID_ON) else close
        if (n == RESTING and k == len(days) - 1) or (n == RESTED and 5 <= k < 8):
            still = dict.fromkeys(("open", "high", "low", "close", "prev_close"), before)
            rows.append(
                {"symbol": symbol, "date": day, **still, "volume": 0, "amount": 0.0, "turnover": 0.0, "suspended": True}
            )
            continue
        close = round(before + (0.07 if (k + n) % 2 else -0.05), 2)
        first = round(before + 0.01, 2)
        prices = {
            "open": first,
            "close": close,
            "high": round(max(first, close) + 0.03, 2),
            "low": round(min(first, close) - 0.02, 2),
        }
        volume = 100 * (5000 + 100 * n + k)
        amount = float(round(volume * (prices["high"] + prices["low"]) / 2))
        traded = {"volume": volume, "amount": amount, "turnover": volume / _float_shares(n) * 100}
        rows.append({"symbol": symbol, "date": day, **prices, "prev_close": before, **traded, "suspended": False})
    return _table("daily_bars", [{**row, "is_st": n == PAYING} for row in rows])


def _float_shares(n: int) -> int:
    return 10_000 * (4000 + 100 * n)


def _actions(listed: list[str], days: list[date]) -> pl.DataFrame:
    """The dividend that makes the event in the bars, and bonus shares of another stock long before them."""
    facts = {"source": "akshare"}
    paid = {
        "symbol": listed[PAYING],
        "ex_date": days[PAID_ON],
        "cash": DIVIDEND,
        "bonus": 0.0,
        "known_since": days[PAID_ON - 1],
        "record_date": days[PAID_ON - 1],
    }
    old = days[0] - timedelta(days=200)
    given = {"symbol": listed[0], "ex_date": old, "cash": 0.25, "bonus": 0.4, "known_since": old - timedelta(days=7)}
    return _table("corporate_actions", [given | facts, paid | facts])


def _etfs(day: date) -> pl.DataFrame:
    moment = datetime.combine(day, time(15, 0, 42), SHANGHAI)
    rows = []
    for n, symbol in enumerate(("510300.SH", "159915.SZ", "588000.SH")):
        price = round(1.5 + n, 3)
        volume = 100 * (80_000 + n)
        prices = {"price": price, "open": price, "high": price + 0.01, "low": price - 0.01, "prev_close": price}
        traded = {
            "volume": volume,
            "amount": volume * price,
            "change_pct": 0.0,
            "iopv": price * 0.999,
            "premium_pct": (1 / 0.999 - 1) * 100,
        }
        rows.append({"symbol": symbol, "date": day, "time": moment, "name": f"基金ETF{n}", **prices, **traded})
    return _table("etf_quotes", rows)


def _longhubang(days: list[date]) -> pl.DataFrame:
    reasons = ("日涨幅偏离值达到7%的前5只证券", "连续三个交易日内，涨幅偏离值累计达到20%的证券")
    rows = []
    for day in days:
        for n, (symbol, reason) in enumerate((s, r) for s in ("000001.SZ", "600519.SH") for r in reasons):
            facts = {
                "date": day,
                "symbol": symbol,
                "reason": reason,
                "name": f"股票{n}",
                "close": 11.0 + n,
                "change_pct": 9.99,
            }
            amounts = {
                "buy_amount": 3e7 + n,
                "sell_amount": 1e7,
                "net_amount": 2e7 + n,
                "total_amount": 5e8,
                "turnover": 12.5,
            }
            rows.append({**facts, **amounts})
    return _table("longhubang", rows).sort("date", "symbol", "reason")


def _flow(kind: str, listed: list[str], day: date) -> pl.DataFrame:
    names = {"stock": listed, "sector": ["电子元件", "银行", "白酒"], "concept": ["人工智能", "算力"]}[kind]
    rows = []
    for n, name in enumerate(names):
        if kind == "stock" and n == RESTING:
            continue
        large, medium = 1000.0 * (n + 1), -500.0 * (n + 3)
        flows = {
            "super_large_net": 3 * large,
            "large_net": -large,
            "main_net": 2 * large,
            "medium_net": medium,
            "small_net": -2 * large - medium,
        }
        who = {"symbol": name, "name": f"*ST股{n}" if n == PAYING else f"股票{n}"} if kind == "stock" else {kind: name}
        rows.append({"date": day, **who, "change_pct": round(0.1 * n - 1, 2), **flows})
    return _table(f"capital_flow_{kind}", rows)


def _statements(table: str, listed: list[str], period: date) -> pl.DataFrame:
    rows = []
    for n, symbol in enumerate(symbol for symbol in listed if not symbol.endswith("BJ")):
        notice = date(period.year + 1, 3, 1) + timedelta(days=n)
        facts = {"symbol": symbol, "period": period, "notice_date": notice, "known_since": notice}
        values = {name: 1e6 * (n + 1) + k for k, name in enumerate(TABLES[table].dtypes) if name not in facts}
        if table == "balance_sheets":
            values["total_assets"] = values["total_liabilities"] + values["total_equity"]
        rows.append({**facts, **values})
    return _table(table, rows)
