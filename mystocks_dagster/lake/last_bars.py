"""Bars with the previous stored bar of their symbol, reading as little of the lake as possible."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.sorting import collect_sorted, with_text_symbols
from mystocks_dagster.market.adjust import changed_closes
from mystocks_dagster.market.days_of_rows import are_among

#: Longer than any holiday: within these days nearly every symbol has its previous bar.
_BACK = timedelta(days=40)
_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)


def bars_with_last(
    lake: TableReader, days: Sequence[date], symbols: Sequence[str] | None = None, *, table: str = "daily_bars"
) -> pl.DataFrame:
    """Return the bars of `days`, each with the previous stored bar of its symbol, sorted by symbol and date.

    Args:
        lake: Where the bars are.
        days: Days to return, ascending. All days between the first and the last are read.
        symbols: Symbols to keep; None means all.
        table: `daily_bars`, or another table of daily bars.

    Returns:
        `symbol`, `date`, `prev_close`, and `last_date` and `last_close`: null for the first stored bar of a symbol.
    """
    return with_text_symbols(_bars_with_last(lake, days, symbols, table))


def changed_bars(lake: TableReader, days: Sequence[date]) -> pl.DataFrame:
    """Return the bars of `days` whose previous close is not the last one, as `changed_closes` selects them."""
    return changed_closes(_bars_with_last(lake, days, None, "daily_bars"))


def _bars_with_last(lake: TableReader, days: Sequence[date], symbols: Sequence[str] | None, table: str) -> pl.DataFrame:
    start = days[0] - _BACK
    columns = ["symbol", "date", "prev_close", "close"]
    bars = collect_sorted(lake.scan(table, columns=columns, symbols=symbols, start=start, end=days[-1]), lake.location)
    same = pl.col("symbol").to_physical() == pl.col("symbol").to_physical().shift()
    bars = bars.with_columns(
        last_date=pl.when(same).then(pl.col("date").shift()), last_close=pl.when(same).then(pl.col("close").shift())
    ).drop("close")
    bars = bars.filter(are_among(bars["date"], days))
    return _with_earlier(lake, bars, start, table)


def _with_earlier(lake: TableReader, bars: pl.DataFrame, start: date, table: str) -> pl.DataFrame:
    """Return the bars with the last bar before `start` where no later one precedes them."""
    first = bars.select("symbol", "last_date").with_row_index("row").filter(pl.col("last_date").is_null())
    first = first.with_columns(pl.col("symbol").cast(pl.String))
    earlier = first.join(last_before(lake, first["symbol"].unique().to_list(), start, table), on="symbol")
    if earlier.is_empty():
        return bars
    return bars.with_columns(
        last_date=bars["last_date"].scatter(earlier["row"], earlier["earlier_date"]),
        last_close=bars["last_close"].scatter(earlier["row"], earlier["earlier_close"]),
    )


def last_before(lake: TableReader, symbols: list[str], before: date, table: str = "daily_bars") -> pl.DataFrame:
    """Return `symbol`, `earlier_date` and `earlier_close` of the last bars before a day."""
    parts = [pl.DataFrame(schema={"symbol": pl.String, "earlier_date": pl.Date, "earlier_close": pl.Float64})]
    # One year is read first: the rest only for the symbols that have no bar in it.
    for start, end in ((before - _YEAR, before - _DAY), (None, before - _YEAR - _DAY)):
        if not symbols:
            break
        bars = lake.scan(table, columns=["symbol", "date", "close"], symbols=symbols, start=start, end=end)
        last = (
            bars.group_by("symbol")
            .agg(pl.col("date", "close").sort_by("date").last().name.prefix("earlier_"))
            .collect()
        )
        parts.append(last)
        symbols = sorted({*symbols} - {*last["symbol"]})
    return pl.concat(parts)
