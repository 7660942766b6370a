"""Adjusted prices out of the raw bars and events that the lake stores."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, Unpack

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.reading import Selection
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import adjust
from mystocks_dagster.market.tables.market import DAILY_BARS

How = Literal["hfq", "qfq"]
Unknown = Literal["refuse", "leave_out"]


def scan_adjusted(
    lake: Lake,
    how: How = "hfq",
    *,
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    columns: Sequence[str] | None = None,
    anchor: date | None = None,
    unknown: Unknown = "refuse",
) -> pl.LazyFrame:
    """Read daily bars with adjusted prices and their `factor`, in order of symbol and date; lazily.

    Open, high, low, close and prev_close are multiplied by the factor; volume and amount stay raw. A symbol of which
    nothing is stored has no rows.

    Args:
        lake: Where `daily_bars` and `adjust_events` are.
        how: `hfq` keeps the first stored day as it was, so the past never changes; `qfq` keeps the anchor day.
        symbols: Symbols to keep; None means all.
        start: First day to keep.
        end: Last day to keep.
        columns: Columns to keep, of `daily_bars` and `factor`; None means all.
        anchor: The day on which qfq prices are the raw ones; None is the last stored day.
        unknown: What becomes of rows that an unknown ratio separates from the day on which the factor is 1 (with hfq
            those from the unknown day on): an error, or they are left out (`unknown_factors` names symbols and days).
            Rows of other symbols, and of the same symbol on the near side, are read in any case.

    Raises:
        LakeError: A factor that is needed is unknown; the message names symbol, day and remedy.
        TableMissing: There are no bars yet.
        UnknownName: There is no such column.
    """
    wanted = list(columns) if columns is not None else [*DAILY_BARS.dtypes, "factor"]
    raw = list(dict.fromkeys(["symbol", "date", *(name for name in wanted if name != "factor")]))
    bars = lake.scan("daily_bars", columns=raw, symbols=symbols, start=start, end=end)
    events = lake.read("adjust_events", symbols=symbols)
    gaps = events.filter(pl.col("ratio").is_null()).select("symbol", "date")
    if gaps.height:
        near = _near(gaps, date.min if how == "hfq" else anchor or date.max)
        if unknown == "refuse":
            _refuse(lake, near, bars)
        bars = within(bars, near)
    return adjust(bars, events, anchored=how == "qfq", anchor=anchor).select(wanted)


class AdjustedSelection(Selection, total=False):
    """What of the adjusted bars is read: the keywords of `scan_adjusted`, which explains them."""

    anchor: date | None
    unknown: Unknown


def adjusted_bars(lake: Lake, how: How = "hfq", **selection: Unpack[AdjustedSelection]) -> pl.DataFrame:
    """Read daily bars with adjusted prices into memory; arguments and errors as `scan_adjusted`."""
    frame = scan_adjusted(lake, how, **selection)
    with translate_errors(lake.location):
        return frame.collect()


def unknown_factors(lake: Lake, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `symbol` and `date` of each bar whose ratio is not known, in this order.

    See `lake.doubts` for the reasons.
    """
    return unknown_events(lake, symbols=symbols)


def before_unknown(lake: Lake, bars: pl.LazyFrame) -> pl.LazyFrame:
    """Return those of `bars` (with `symbol` and `date`) that are before their symbol's first unknown ratio.

    Those with an hfq price.
    """
    unknown = unknown_events(lake)
    return within(bars, _near(unknown, date.min)) if unknown.height else bars


def within(bars: pl.LazyFrame, near: pl.DataFrame) -> pl.LazyFrame:
    """Leave out rows of the symbols of `near` that are before its `start` or not before its `end`; null is no bound."""
    bounds = near.select("symbol", from_date="start", to_date="end").lazy()
    inside = (pl.col("date") >= pl.col("from_date").fill_null(date.min)) & (
        pl.col("date") < pl.col("to_date").fill_null(date.max)
    )
    return bars.join(bounds, on="symbol", how="left", maintain_order="left").filter(inside).drop("from_date", "to_date")


def _near(gaps: pl.DataFrame, anchor: date) -> pl.DataFrame:
    """Return for each symbol with unknown ratios the days around the anchor that none separates from it.

    `start` to before `end`.
    """
    before, after = gaps.filter(pl.col("date") <= anchor), gaps.filter(pl.col("date") > anchor)
    starts = before.group_by("symbol").agg(start=pl.col("date").max())
    return starts.join(after.group_by("symbol").agg(end=pl.col("date").min()), on="symbol", how="full", coalesce=True)


def _refuse(lake: Lake, near: pl.DataFrame, bars: pl.LazyFrame) -> None:
    """Raise when rows are asked for that an unknown ratio separates from the anchor."""
    asked = bars.select("symbol", "date").filter(pl.col("symbol").is_in(near["symbol"].to_list()))
    with translate_errors(lake.location):
        lost = asked.join(within(asked, near), on=["symbol", "date"], how="anti").sort("symbol", "date").collect()
    if lost.is_empty():
        return
    found = find_doubts(lake, symbols=lost["symbol"].unique().to_list())
    others = f" (and {len(found) - 1:,} more symbols)" if len(found) > 1 else ""
    opening = f"{found[0].symbol} cannot be adjusted across {found[0].day}{others}."
    raise LakeError(f"{describe_doubts(found, opening)} To read all that is known, pass unknown='leave_out'.")
