"""The market on one day: indices, breadth, turnover, industries, capital flow, 龙虎榜 and signals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.loads import was_loaded
from mystocks_dagster.lake.outdated import outdated
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.rules import at_limit, price_limit
from mystocks_dagster.market.symbols import board_of
from mystocks_dagster.market.tables import table as table_of
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.project.market_view.securities import MAIN_INDICES

#: Rows of each list of leaders.
LEADERS = 10
_BOARDS = ("main", "chinext", "star", "bse")
#: Tables of the lists that are loaded by trading day.
_BY_DAY = ("capital_flow_sector", "capital_flow_stock", "longhubang")
_CHANGE = (pl.col("close") / pl.col("prev_close") - 1) * 100


@dataclass(kw_only=True)
class Breadth:
    """How many stocks of a board rose, fell or did neither; those at a limit are among them.

    Attributes:
        board: `main`, `chinext`, `star` or `bse`; `all` for the sum.
        unknown: Stocks without a known previous close.
        amount: CNY traded.
    """

    board: str
    up: int = 0
    down: int = 0
    flat: int = 0
    limit_up: int = 0
    limit_down: int = 0
    suspended: int = 0
    unknown: int = 0
    amount: float = 0.0


@dataclass(frozen=True, kw_only=True)
class MarketDay:
    """The market on one trading day; lists are empty where the lake lacks their table or day.

    Rows are mappings: stocks have `symbol`, `name`, `close` (CNY, raw), `change_pct` and `amount` (CNY).

    Attributes:
        day: The day.
        previous: The stored day before.
        following: The stored day after.
        breadth: One row per board, then their sum.
        amount_before: CNY traded on the stored day before.
        indices: Rows with `symbol`, `name`, `close`, `change_pct`, `amount`.
        risers: Largest rises in percent.
        fallers: Largest falls.
        busiest: Largest amounts.
        industries: Rows with `name`, `change_pct`, `weight` (for the area of a heat map) and `main_net` (CNY).
        inflows: Stocks with the largest net purchases of large orders, with `main_net` (CNY).
        outflows: Stocks with the largest net sales of large orders.
        longhubang: Stocks on the 龙虎榜 with `reason` and `net_amount` (CNY).
        signals: Rows with `strategy`, `side`, `symbol`, `name` and `detail`.
        loaded: Tables of these lists that are complete for the day: where a list is empty, the day had none.
        screens: Rows with `screen`, `passed`, `screened`, `formula` and `stocks`: those with the largest turnover.
    """

    day: date
    previous: date | None
    following: date | None
    breadth: Sequence[Breadth]
    amount_before: float | None
    indices: Sequence[dict[str, Any]] = field(default=())
    risers: Sequence[dict[str, Any]] = field(default=())
    fallers: Sequence[dict[str, Any]] = field(default=())
    busiest: Sequence[dict[str, Any]] = field(default=())
    industries: Sequence[dict[str, Any]] = field(default=())
    inflows: Sequence[dict[str, Any]] = field(default=())
    outflows: Sequence[dict[str, Any]] = field(default=())
    longhubang: Sequence[dict[str, Any]] = field(default=())
    signals: Sequence[dict[str, Any]] = field(default=())
    screens: Sequence[dict[str, Any]] = field(default=())
    loaded: Sequence[str] = field(default=())


def market_day(lake: Lake, day: date | None = None) -> MarketDay | None:
    """Return the market on a stored trading day; the newest if none is named; None if the lake has no bars.

    Raises:
        UnknownName: No bars of that day are stored; the message names the nearest stored days.
    """
    days = lake.days("daily_bars")
    if not days:
        return None
    chosen = day or days[-1]
    if chosen not in days:
        near = [stored for stored in days if stored < chosen][-1:] + [stored for stored in days if stored > chosen][:1]
        names = " and ".join(f"{stored}" for stored in near)
        raise UnknownName(f"No bars of {chosen} are stored; the nearest stored days are {names}.")
    place = days.index(chosen)
    previous = days[place - 1] if place else None
    stocks = _stocks(lake, chosen)
    traded = stocks.filter(~pl.col("suspended"), pl.col("change_pct").is_not_null())
    flows = _rows_of_day(lake, "capital_flow_stock", ["symbol", "name", "change_pct", "main_net"], chosen)
    flows = flows.filter(pl.col("main_net").is_not_null()).sort("main_net", "symbol")
    return MarketDay(
        day=chosen,
        previous=previous,
        following=days[place + 1] if place + 1 < len(days) else None,
        breadth=_breadth(stocks, chosen),
        amount_before=_amount(lake, previous),
        indices=_indices(lake, chosen),
        risers=_leaders(traded, "change_pct", descending=True),
        fallers=_leaders(traded, "change_pct", descending=False),
        busiest=_leaders(traded, "amount", descending=True),
        industries=_industries(lake, chosen),
        inflows=flows.filter(pl.col("main_net") > 0).reverse().head(LEADERS).to_dicts(),
        outflows=flows.filter(pl.col("main_net") < 0).head(LEADERS).to_dicts(),
        longhubang=_longhubang(lake, chosen),
        signals=_signals(lake, stocks, chosen),
        screens=_screens(lake, stocks, chosen),
        loaded=_loaded(lake, chosen),
    )


def _loaded(lake: Lake, day: date) -> list[str]:
    """Return the tables of the day's lists that are complete for it: loaded whole, or computed from what is stored."""
    loaded = [name for name in _BY_DAY if was_loaded(lake, name, day)]
    changes = outdated(lake, SIGNALS)["date"]
    if lake.exists(SIGNALS.name) and all(changed and changed > day for changed in changes):
        loaded.append(SIGNALS.name)
    return loaded


def _stocks(lake: Lake, day: date) -> pl.DataFrame:
    columns = ["symbol", "close", "prev_close", "amount", "is_st", "suspended"]
    bars = lake.read("daily_bars", columns=columns, start=day, end=day)
    named = bars.with_columns(change_pct=pl.when(pl.col("prev_close") > 0).then(_CHANGE))
    if not lake.exists("stocks"):
        return named.with_columns(name=pl.col("symbol"), list_date=pl.lit(None, pl.Date))
    names = lake.read("stocks", columns=["symbol", "name", "list_date"])
    return named.join(names, on="symbol", how="left").with_columns(pl.col("name").fill_null(pl.col("symbol")))


def _breadth(stocks: pl.DataFrame, day: date) -> list[Breadth]:
    boards = {board: Breadth(board=board) for board in _BOARDS}
    for row in stocks.iter_rows(named=True):
        board = board_of(row["symbol"])
        if board is not None:
            _count(boards[board], row, day)
    total = Breadth(board="all")
    for breadth in boards.values():
        for name in vars(total):
            if name != "board":
                setattr(total, name, getattr(total, name) + getattr(breadth, name))
    return [*boards.values(), total]


def _count(breadth: Breadth, row: dict[str, Any], day: date) -> None:
    if row["suspended"]:
        breadth.suspended += 1
        return
    breadth.amount += row["amount"]
    close, before = row["close"], row["prev_close"]
    if not before:
        breadth.unknown += 1
        return
    breadth.up += close > before
    breadth.down += close < before
    breadth.flat += close == before
    board = board_of(row["symbol"])
    limit = price_limit(board, day, is_st=bool(row["is_st"]), list_date=row["list_date"]) if board else None
    if limit:
        breadth.limit_up += at_limit("buy", close, before, limit)
        breadth.limit_down += at_limit("sell", close, before, limit)


def _amount(lake: Lake, day: date | None) -> float | None:
    if day is None:
        return None
    return float(lake.read("daily_bars", columns=["amount"], start=day, end=day)["amount"].sum())


def _indices(lake: Lake, day: date) -> list[dict[str, Any]]:
    if not lake.exists("index_bars"):
        return []
    columns = ["symbol", "close", "prev_close", "amount"]
    rows = lake.read("index_bars", columns=columns, symbols=list(MAIN_INDICES), start=day, end=day)
    by_symbol = {row["symbol"]: row for row in rows.with_columns(change_pct=_CHANGE).iter_rows(named=True)}
    return [{**by_symbol[symbol], "name": name} for symbol, name in MAIN_INDICES.items() if symbol in by_symbol]


def _leaders(stocks: pl.DataFrame, column: str, *, descending: bool) -> list[dict[str, Any]]:
    columns = ["symbol", "name", "close", "change_pct", "amount"]
    ordered = stocks.sort(column, "symbol", descending=[descending, False])
    if column == "change_pct":
        ordered = ordered.filter(pl.col(column) > 0 if descending else pl.col(column) < 0)
    return ordered.select(columns).head(LEADERS).to_dicts()


def _industries(lake: Lake, day: date) -> list[dict[str, Any]]:
    """Return the industries: their area is their market value where it is stored, else the same for all."""
    flows = _rows_of_day(lake, "capital_flow_sector", ["sector", "change_pct", "main_net"], day)
    flows = flows.rename({"sector": "name"}).with_columns(weight=pl.lit(1.0))
    if lake.exists("industry_boards"):
        boards = lake.read("industry_boards", columns=["name", "change_pct", "total_value"], start=day, end=day)
        if boards.height:
            named = boards.rename({"total_value": "weight"}).filter(pl.col("weight") > 0)
            flows = named.join(flows.select("name", "main_net"), on="name", how="left")
    return flows.filter(pl.col("change_pct").is_not_null()).sort("change_pct", descending=True).to_dicts()


def _longhubang(lake: Lake, day: date) -> list[dict[str, Any]]:
    columns = ["symbol", "name", "close", "change_pct", "net_amount", "reason"]
    rows = _rows_of_day(lake, "longhubang", columns, day)
    return rows.sort("net_amount", descending=True).to_dicts()


def _signals(lake: Lake, stocks: pl.DataFrame, day: date) -> list[dict[str, Any]]:
    rows = _rows_of_day(lake, "signals", ["strategy", "side", "symbol", "detail"], day)
    named = rows.join(stocks.select("symbol", "name", "close", "change_pct", "amount"), on="symbol", how="left")
    return named.sort("strategy", "side", "amount", descending=[False, False, True], nulls_last=True).to_dicts()


def _screens(lake: Lake, stocks: pl.DataFrame, day: date) -> list[dict[str, Any]]:
    runs = _rows_of_day(lake, "screen_runs", ["screen", "passed", "screened", "formula"], day).sort("screen")
    passed = _rows_of_day(lake, "screens", ["screen", "symbol"], day)
    named = passed.join(stocks.select("symbol", "name", "change_pct", "amount"), on="symbol", how="left")
    ordered = named.sort("amount", descending=True, nulls_last=True)
    return [
        {**run, "stocks": ordered.filter(pl.col("screen") == run["screen"]).head(LEADERS).to_dicts()}
        for run in runs.to_dicts()
    ]


def _rows_of_day(lake: Lake, table: str, columns: Sequence[str], day: date) -> pl.DataFrame:
    if not lake.exists(table):
        return table_of(table).empty().select(columns)
    return lake.read(table, columns=list(columns), start=day, end=day)
