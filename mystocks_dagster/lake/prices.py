"""Adjusted prices, computed from the stored raw bars and events."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal, Unpack

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.confirmation import CONFIRMED, with_confirmed
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.doubts import describe_doubts, find_doubts
from mystocks_dagster.lake.events import unknown_events
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.selection import Selection
from mystocks_dagster.lake.sorting import collect_sorted
from mystocks_dagster.market.adjust import PRICES, factors
from mystocks_dagster.market.tables.market import DAILY_BARS

How = Literal["hfq", "qfq"]
Unknown = Literal["refuse", "leave_out"]


def scan_adjusted(
    lake: TableReader,
    how: How = "hfq",
    *,
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
    as_of: date | None = None,
    columns: Sequence[str] | None = None,
    anchor: date | None = None,
    unknown: Unknown = "refuse",
) -> pl.LazyFrame:
    """Scan daily bars with adjusted prices and their `factor`, sorted by symbol and date.

    Open, high, low, close and prev_close are multiplied by the factor; volume and amount stay raw. A symbol without
    stored bars has no rows.

    Args:
        lake: Where `daily_bars` and `adjust_events` are.
        how: `hfq` keeps the first stored day raw, so past prices never change; `qfq` keeps the anchor day raw.
        symbols: Symbols to keep; None means all.
        start: First day to keep.
        end: Last day to keep.
        as_of: The day whose knowledge counts: no later bar or event is read, and qfq prices are anchored at the last
            day stored by then.
        columns: Columns to keep, of `daily_bars`, `factor` and `confirmed`; None means all. `confirmed` is true if
            corporate actions confirm the factor, false if they contradict it and nobody has decided (see `mystocks
            data actions`), and null if they are not known, so that prices alone decide.
        anchor: The day on which qfq prices are the raw ones; None is the last stored day.
        unknown: How to treat rows that an unknown ratio separates from the day on which the factor is 1 (with hfq
            those from the unknown day on): `refuse` raises an error, `leave_out` omits them (`unknown_factors` lists
            symbols and days). All other rows are read in any case.

    Raises:
        LakeError: A required factor is unknown; the message names symbol, day and remedy.
        TableMissing: There are no bars yet.
        UnknownName: There is no such column.
    """
    selected = list(columns) if columns is not None else [*DAILY_BARS.dtypes, "factor", CONFIRMED]
    if as_of is not None:
        end, anchor = min(end or as_of, as_of), min(anchor or as_of, as_of)
    raw = list(dict.fromkeys(["symbol", "date", *(name for name in selected if name not in ("factor", CONFIRMED))]))
    bars = lake.scan("daily_bars", columns=raw, symbols=symbols, start=start, end=end)
    events = lake.read("adjust_events", symbols=symbols, as_of=as_of)
    unknown_days = events.filter(pl.col("ratio").is_null()).select("symbol", "date")
    if unknown_days.height:
        near = _near(unknown_days, date.min if how == "hfq" else anchor or date.max)
        if unknown == "refuse":
            _refuse(lake, near, bars)
        bars = within(bars, near)

    def factors_of(symbols: pl.Series, days: pl.Series) -> np.ndarray:
        return factors(symbols, days, events, anchored=how == "qfq", anchor=anchor)

    def read(
        names: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        names = selected if names is None else names
        stored = bars.select(list(dict.fromkeys(["symbol", "date", *(name for name in names if name in raw)])))
        prices = [name for name in PRICES if name in names]
        frame = collect_sorted(stored, lake.location, factors=factors_of, multiplied=prices, as_text=True)
        if CONFIRMED in names:
            fixed = date.min if how == "hfq" else anchor or date.max
            frame = with_confirmed(lake, frame.lazy(), anchor=fixed, symbols=symbols).collect()
        frame = frame.select(names)
        frame = frame if predicate is None else frame.filter(predicate)
        yield frame if rows is None else frame.head(rows)

    types = {**DAILY_BARS.stored.dtypes, "code": pl.String, "factor": pl.Float64, CONFIRMED: pl.Boolean}
    return register_io_source(read, schema={name: types[name] for name in selected}, is_pure=True)


class AdjustedSelection(Selection, total=False):
    """Keyword arguments of `scan_adjusted`, which documents them."""

    anchor: date | None
    unknown: Unknown


def adjusted_bars(lake: TableReader, how: How = "hfq", **selection: Unpack[AdjustedSelection]) -> pl.DataFrame:
    """Read daily bars with adjusted prices into memory; arguments and errors as in `scan_adjusted`."""
    frame = scan_adjusted(lake, how, **selection)
    with translate_errors(lake.location):
        return frame.collect()


def unknown_factors(lake: TableReader, *, symbols: Sequence[str] | None = None) -> pl.DataFrame:
    """Return `symbol` and `date` of each bar with an unknown ratio, sorted by both; `lake.doubts` has the reasons."""
    return unknown_events(lake, symbols=symbols)


def before_unknown(lake: TableReader, bars: pl.LazyFrame, events: pl.DataFrame | None = None) -> pl.LazyFrame:
    """Return the bars (with `symbol` and `date`) that have an hfq price: before their symbol's first unknown ratio.

    Args:
        lake: Where the events are.
        bars: The bars.
        events: The events of the bars' symbols, if they are read already.
    """
    unknown = unknown_events(lake) if events is None else events.filter(pl.col("ratio").is_null())
    return within(bars, _near(unknown, date.min)) if unknown.height else bars


def within(bars: pl.LazyFrame, near: pl.DataFrame) -> pl.LazyFrame:
    """Keep rows from `start` to before `end` of their symbol in `near`; null is no bound. Other symbols stay."""
    bounds = near.select("symbol", from_date="start", to_date="end").lazy()
    inside = (pl.col("date") >= pl.col("from_date").fill_null(date.min)) & (
        pl.col("date") < pl.col("to_date").fill_null(date.max)
    )
    return bars.join(bounds, on="symbol", how="left", maintain_order="left").filter(inside).drop("from_date", "to_date")


def _near(gaps: pl.DataFrame, anchor: date) -> pl.DataFrame:
    """Return `symbol`, `start` and `end` (exclusive): the days that no unknown ratio separates from the anchor."""
    before, after = gaps.filter(pl.col("date") <= anchor), gaps.filter(pl.col("date") > anchor)
    starts = before.group_by("symbol").agg(start=pl.col("date").max())
    return starts.join(after.group_by("symbol").agg(end=pl.col("date").min()), on="symbol", how="full", coalesce=True)


def _refuse(lake: TableReader, near: pl.DataFrame, bars: pl.LazyFrame) -> None:
    """Raise an error when an unknown ratio separates requested rows from the anchor."""
    requested = bars.select("symbol", "date").filter(pl.col("symbol").is_in(near["symbol"].to_list()))
    with translate_errors(lake.location):
        lost = (
            requested.join(within(requested, near), on=["symbol", "date"], how="anti").sort("symbol", "date").collect()
        )
    if lost.is_empty():
        return
    doubts = find_doubts(lake, symbols=lost["symbol"].unique().to_list())
    others = f" (and {len(doubts) - 1:,} more symbols)" if len(doubts) > 1 else ""
    opening = f"{doubts[0].symbol} cannot be adjusted across {doubts[0].day}{others}."
    raise LakeError(
        f"{describe_doubts(doubts, opening)} To read only the rows with a known factor, pass unknown='leave_out'."
    )
