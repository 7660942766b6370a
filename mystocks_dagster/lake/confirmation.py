"""The column `confirmed` of adjusted bars: whether corporate actions confirm the factor of a row."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.action_check import known_action_days, open_differences
from mystocks_dagster.lake.loads import load_entries
from mystocks_dagster.lake.reading import TableReader

#: Name of the column: true if the actions of all days between the row and the anchor are known and agree with the
#: prices, false if they differ and nobody has decided, null if they are not known, so that prices alone decide.
CONFIRMED = "confirmed"


def with_confirmed(
    lake: TableReader, bars: pl.LazyFrame, *, anchor: date, symbols: Sequence[str] | None = None
) -> pl.LazyFrame:
    """Return the bars with the column `confirmed`, in the same order.

    Args:
        lake: Where the differences are.
        bars: Rows with `symbol` and `date`.
        anchor: The day on which the factor is 1; `date.min` is the symbol's first stored day.
        symbols: The symbols of the bars, if they are few.
    """
    day = pl.col("date")
    start, end = _unknown_span(lake, anchor)
    known = (day >= (start or date.min)) & (day < (end or date.max))
    value = pl.when(known).then(pl.lit(value=True))
    differing = open_differences(lake, symbols=symbols).select("symbol", "date").unique()
    if differing.is_empty():
        return bars.with_columns(value.alias(CONFIRMED))
    before, after = differing.filter(day <= anchor), differing.filter(day > anchor)
    bounds = before.group_by("symbol").agg(_start=day.max()).join(
        after.group_by("symbol").agg(_end=day.min()), on="symbol", how="full", coalesce=True
    )  # fmt: skip
    wrong = (day < pl.col("_start")) | (day >= pl.col("_end"))
    joined = bars.join(bounds.lazy(), on="symbol", how="left", maintain_order="left")
    flag = pl.when(wrong.fill_null(value=False)).then(pl.lit(value=False)).otherwise(value)
    return joined.with_columns(flag.alias(CONFIRMED)).drop("_start", "_end")


def _unknown_span(lake: TableReader, anchor: date) -> tuple[date | None, date | None]:
    """Return the last loaded day up to the anchor, and the first one after it, whose actions are not known.

    Rows before the one, or from the other on, are separated from the anchor by a day of unknown actions. The first
    loaded day needs none: there is no bar before it.
    """
    days = load_entries(lake, "daily_bars")["date"].unique().sort()[1:]
    unknown = days.filter(~days.is_in(known_action_days(lake)))
    before, after = unknown.filter(unknown <= anchor), unknown.filter(unknown > anchor)
    return (before[-1] if len(before) else None), (after[0] if len(after) else None)
