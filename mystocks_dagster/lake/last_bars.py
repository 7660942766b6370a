"""Bars with the previous stored bar of their symbol, reading as little of the lake as possible."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.store import Lake

#: Longer than any holiday: within these days nearly every symbol has its previous bar.
_BACK = timedelta(days=40)
_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)


def bars_with_last(lake: Lake, days: Sequence[date], symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the bars of `days`, each with the previous stored bar of its symbol.

    Args:
        lake: Where `daily_bars` is.
        days: Days to return, ascending. All days between the first and the last are read.
        symbols: Symbols to keep; None means all.

    Returns:
        `symbol`, `date`, `prev_close`, and `last_date` and `last_close`: null for the first stored bar of a symbol.
    """
    start = days[0] - _BACK
    columns = ["symbol", "date", "close", "prev_close"]
    bars = lake.read("daily_bars", columns=columns, symbols=symbols, start=start, end=days[-1]).sort("symbol", "date")
    bars = bars.with_columns(pl.col("date", "close").shift().over("symbol").name.prefix("last_"))
    bars = bars.filter(pl.col("date").is_in(list(days)))
    first = bars.filter(pl.col("last_date").is_null())
    earlier = last_before(lake, first["symbol"].unique().to_list(), start)
    return (
        bars.join(earlier, on="symbol", how="left", maintain_order="left")
        .with_columns(pl.col("last_date").fill_null(pl.col("earlier_date")))
        .with_columns(
            last_close=pl.when(pl.col("last_date") == pl.col("earlier_date"))
            .then("earlier_close")
            .otherwise("last_close")
        )
        .select("symbol", "date", "prev_close", "last_date", "last_close")
    )


def last_before(lake: Lake, symbols: list[str], before: date) -> pl.DataFrame:
    """Return `symbol`, `earlier_date` and `earlier_close` of the last bars before a day."""
    parts = [pl.DataFrame(schema={"symbol": pl.String, "earlier_date": pl.Date, "earlier_close": pl.Float64})]
    # One year is read first: the rest only for the symbols that have no bar in it.
    for start, end in ((before - _YEAR, before - _DAY), (None, before - _YEAR - _DAY)):
        if not symbols:
            break
        bars = lake.scan("daily_bars", columns=["symbol", "date", "close"], symbols=symbols, start=start, end=end)
        last = (
            bars.group_by("symbol")
            .agg(pl.col("date", "close").sort_by("date").last().name.prefix("earlier_"))
            .collect()
        )
        parts.append(last)
        symbols = sorted({*symbols} - {*last["symbol"]})
    return pl.concat(parts)
