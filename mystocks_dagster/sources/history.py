"""The past of the whole market out of any source, by calendar year."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import cast

import polars as pl

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.sources.protocol import HistorySource, MarketSource, Progress

#: The table that every source with history can yield, by its method `daily_bars`.
_BARS = "daily_bars"


def history_tables(source: MarketSource) -> frozenset[str]:
    """Return the tables that `history_of` can yield: those of a bulk source, otherwise daily bars if it has a past."""
    tables = getattr(source, "history_tables", None)
    if tables is not None:
        return tables
    return frozenset({_BARS}) & source.offers if source.has_history else frozenset()


def history_of(
    source: MarketSource,
    tables: Sequence[str],
    start: date,
    end: date,
    *,
    actions: pl.DataFrame | None,
    progress: Progress,
    skip: Collection[date] = (),
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the past of `tables` by calendar year; arguments, order and errors as in `HistorySource.history`.

    A source without that method is asked for its bars day by day, except those of `skip`. Its frames are yielded as
    they come, several days each, so that the caller can store them before the next request.
    """
    if getattr(source, "history_tables", None) is not None:
        yield from cast(HistorySource, source).history(tables, start, end, actions=actions, progress=progress)
    elif _BARS in tables:
        calendar = shanghai()
        days = calendar.sessions(max(start, calendar.first), min(end, calendar.last))
        wanted = [day for day in days if day not in skip]
        for frame in source.daily_bars(wanted):
            if frame.height:
                rows = frame.sort("symbol", "date")
                last = max(rows["date"].unique())
                progress(bisect_right(wanted, last), len(wanted), f"bars up to {last}")
                yield _BARS, rows
