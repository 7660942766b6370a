"""What a backtest reads from the lake, and the refusal of what is not there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.lake.doubts import Doubt, find_doubts
from mystocks_dagster.lake.prices import before_unknown
from mystocks_dagster.lake.stock_names import with_known_st
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.backtesting.market import Market, prepare
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

_BARS = (
    "symbol", "date", "open", "high", "low", "close", "prev_close", "volume", "amount", "is_st", "suspended",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """The market and the signals of a backtest.

    Attributes:
        market: The prepared market.
        signals: `symbol`, `date`, `strategy`, `side`, `score`, `weight` and `entry`.
        doubts: Symbols that are traded only up to the day before an unknown ratio.
    """

    market: Market
    signals: pl.DataFrame
    doubts: list[Doubt]


def trading_days(lake: Lake, start: date | None, end: date | None) -> list[date]:
    """Return the stored trading days of a window, ascending.

    Raises:
        TableMissing: There are no bars.
        InvalidParams: No stored day lies within the window.
    """
    stored = lake.days("daily_bars")
    if not stored:
        raise TableMissing("The table daily_bars is empty; fill the lake: mystocks bootstrap")
    days = [day for day in stored if (start or day) <= day <= (end or day)]
    if not days:
        raise InvalidParams(f"{_none_within(start, end)}; bars are stored from {stored[0]} to {stored[-1]}.")
    return days


def _none_within(start: date | None, end: date | None) -> str:
    if start and end:
        return f"No stored trading day from {start} to {end}"
    return f"No stored trading day on or after {start}" if start else f"No stored trading day on or before {end}"


def read_signals(lake: Lake, strategies: Collection[str], days: Sequence[date]) -> pl.DataFrame:
    """Return the stored signals of strategies within days.

    Raises:
        TableMissing: One of the strategies has no stored signal at all.
    """
    columns = ["symbol", "date", "strategy", "side", "score", "weight", "entry"]
    own = pl.col("strategy").is_in(list(strategies))
    stored = lake.scan("signals", columns=columns).filter(own).collect()
    missing = sorted(set(strategies) - set(stored["strategy"].unique()))
    if missing:
        raise TableMissing(
            f"The table signals has no rows of {', '.join(missing)}; run calc_strategy_signals for it. "
            "If that has run, no stock met the strategy's condition, as when the stored bars are fewer than it needs."
        )
    return stored.filter(pl.col("date").is_between(days[0], days[-1]))


def describe_no_signals(strategies: str, days: Sequence[date]) -> str:
    """Return a sentence instead of a result that nothing was traded for."""
    return f"{strategies} from {days[0]} to {days[-1]}: there were no signals to trade."


def read_inputs(lake: Lake, signals: pl.DataFrame, days: Sequence[date]) -> Inputs:
    """Read the market of the symbols with a signal, and leave out what an unknown ratio makes unknown."""
    symbols = signals["symbol"].unique().sort().to_list()
    doubts = find_doubts(lake, end=days[-1])
    bars = lake.scan("daily_bars", columns=list(_BARS), symbols=symbols, start=days[0], end=days[-1])
    frames = (bars, signals.lazy(), _events(lake, symbols, days).lazy())
    known_bars, known_signals, events = (before_unknown(lake, frame).collect() for frame in frames)
    listed, delisted = _listings(lake, symbols)
    market = prepare(
        days,
        with_known_st(lake, known_bars),
        events,
        actions=lake.read("corporate_actions", symbols=symbols) if lake.exists("corporate_actions") else None,
        listed=listed,
        delisted=delisted,
        ends={doubt.symbol: doubt.day for doubt in doubts},
    )
    return Inputs(market, known_signals, doubts)


def read_benchmark(lake: Lake, symbol: str, days: Sequence[date]) -> list[float]:
    """Return the closes of an index on each of the days.

    Raises:
        InvalidParams: The index has no value on some of them.
    """
    remedy = "Load it, for example with `mystocks bootstrap --from tdx`, or leave `benchmark` empty"
    if not lake.exists("index_bars"):
        raise InvalidParams(f"The benchmark {symbol} is not stored: there is no table index_bars. {remedy}.")
    rows = lake.read("index_bars", columns=["date", "close"], symbols=[symbol])
    if rows.is_empty():
        raise InvalidParams(f"The benchmark {symbol} is not stored: index_bars has no row of it. {remedy}.")
    closes = dict(rows.iter_rows())
    missing = [day for day in days if day not in closes]
    if missing:
        raise InvalidParams(
            f"The benchmark {symbol} is not stored on {len(missing):,} of {len(days):,} trading days, first on "
            f"{missing[0]}; it is stored from {min(closes)} to {max(closes)}. {remedy}."
        )
    return [closes[day] for day in days]


def survivors(lake: Lake) -> list[str]:
    """Return the stocks that are listed on the newest stored day.

    Raises:
        TableMissing: There is no stock list to tell.
    """
    if not lake.exists("stocks"):
        raise TableMissing("The table stocks, which says what is still listed, is missing; run daily_data_sync.")
    newest = lake.days("daily_bars")[-1]
    stocks = lake.read("stocks", columns=["symbol", "delist_date"])
    return stocks.filter(pl.col("delist_date").is_null() | (pl.col("delist_date") >= newest))["symbol"].to_list()


def _events(lake: Lake, symbols: Sequence[str], days: Sequence[date]) -> pl.DataFrame:
    if not lake.exists("adjust_events"):
        return ADJUST_EVENTS.empty()
    return lake.read("adjust_events", symbols=symbols, start=days[0], end=days[-1])


def _listings(lake: Lake, symbols: Sequence[str]) -> tuple[dict[str, date], dict[str, date]]:
    """Return the first and the last day of listing by symbol, where they are known."""
    if not lake.exists("stocks"):
        return {}, {}
    rows = lake.read("stocks", columns=["symbol", "list_date", "delist_date"], symbols=symbols)
    listed = rows.select("symbol", "list_date").drop_nulls()
    return dict(listed.iter_rows()), dict(rows.select("symbol", "delist_date").drop_nulls().iter_rows())
