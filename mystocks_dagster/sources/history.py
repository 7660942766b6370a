"""The past of the whole market out of any source, by calendar year."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
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
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the past of `tables` by calendar year; arguments, order and errors as in `HistorySource.history`.

    A source without that method is asked for its bars day by day.
    """
    if getattr(source, "history_tables", None) is not None:
        yield from cast(HistorySource, source).history(tables, start, end, actions=actions, progress=progress)
    elif _BARS in tables:
        yield from _by_day(source, start, end, progress)


def _by_day(source: MarketSource, start: date, end: date, progress: Progress) -> Iterator[tuple[str, pl.DataFrame]]:
    calendar = shanghai()
    days = calendar.sessions(max(start, calendar.first), min(end, calendar.last))
    done = 0
    for _, group in groupby(days, key=lambda day: day.year):
        year = list(group)
        frames = []
        for frame in source.daily_bars(year):
            frames.append(frame)
            if frame.height:
                progress(done + year.index(frame["date"][-1]) + 1, len(days), f"bars up to {frame['date'][-1]}")
        done += len(year)
        rows = pl.concat(frames) if frames else None
        if rows is not None and rows.height:
            yield _BARS, rows.sort("date", "symbol")
