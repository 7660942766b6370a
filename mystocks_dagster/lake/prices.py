"""Adjusted prices out of the raw bars and events that the lake stores."""

from collections.abc import Sequence
from datetime import date
from typing import Literal

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.delta import explained
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import adjust
from mystocks_dagster.market.schemas import DAILY_BARS

How = Literal["hfq", "qfq"]


def scan_adjusted(
    lake: Lake,
    how: How = "hfq",
    *,
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    columns: Sequence[str] | None = None,
    anchor: date | None = None,
    unknown: Literal["refuse", "leave_out"] = "refuse",
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
        unknown: What becomes of symbols whose factor is unknown somewhere between the days read and the day on which it
            is 1: an error, or their rows are left out (`unknown_factors` names them).

    Raises:
        LakeError: A factor that is needed is unknown; the message names symbol, day and remedy.
        TableMissing: There are no bars yet.
        UnknownName: There is no such column.
    """
    wanted = list(columns) if columns is not None else [*DAILY_BARS.dtypes, "factor"]
    raw = list(dict.fromkeys(["symbol", "date", *(name for name in wanted if name != "factor")]))
    bars = lake.scan("daily_bars", columns=raw, symbols=symbols, start=start, end=end)
    events = lake.read("adjust_events", symbols=symbols)
    gaps = _needed(events, how, start, end, anchor)
    if gaps.height and unknown == "refuse":
        raise LakeError(_refusal(gaps))
    bars = bars.filter(~pl.col("symbol").is_in(gaps["symbol"].unique().to_list())) if gaps.height else bars
    return adjust(bars, events, anchored=how == "qfq", anchor=anchor).select(wanted)


def adjusted_bars(
    lake: Lake,
    how: How = "hfq",
    *,
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    columns: Sequence[str] | None = None,
    anchor: date | None = None,
    unknown: Literal["refuse", "leave_out"] = "refuse",
) -> pl.DataFrame:
    """Read daily bars with adjusted prices into memory; arguments and errors as `scan_adjusted`."""
    frame = scan_adjusted(lake, how, symbols=symbols, start=start, end=end, columns=columns, anchor=anchor, unknown=unknown)
    with explained(lake.location):
        return frame.collect()


def unknown_factors(lake: Lake, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `symbol` and `date` of each bar whose ratio could not be derived, because the day before is not stored."""
    if not lake.exists("adjust_events"):
        return pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date})
    events = lake.scan("adjust_events", symbols=symbols)
    return events.filter(pl.col("ratio").is_null()).select("symbol", "date").sort("symbol", "date").collect()


def _needed(events: pl.DataFrame, how: How, start: date | None, end: date | None, anchor: date | None) -> pl.DataFrame:
    """Return the unknown events that lie between the days read and the day on which the factor is 1."""
    gaps = events.filter(pl.col("ratio").is_null()).select("symbol", "date").sort("symbol", "date")
    if how == "hfq":
        return gaps if end is None else gaps.filter(pl.col("date") <= end)
    if end is not None and anchor is not None:
        gaps = gaps.filter(pl.col("date") <= max(end, anchor))
    if start is not None:
        gaps = gaps.filter(pl.col("date") > (start if anchor is None else min(start, anchor)))
    return gaps


def _refusal(gaps: pl.DataFrame) -> str:
    symbol, day = gaps.row(0)
    others = f" (and {gaps.height - 1} more)" if gaps.height > 1 else ""
    return (
        f"{symbol} cannot be adjusted across {day}{others}: its bar of the trading day before is not stored or states no "
        f"previous close. Load the missing days, e.g. daily_data_sync with end_date {day}, and the factor follows."
    )
