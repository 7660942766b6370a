"""The rows that strategies read, year by year: a market larger than memory works, and a year is read ahead."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import numpy as np
import polars as pl

from mystocks_dagster.lake.data_files import data_files
from mystocks_dagster.lake.sorting import sort_by_symbol, with_text_symbols
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.columns import INDICATORS
from mystocks_dagster.tasks.strategy_failures import blamed_on
from mystocks_dagster.tasks.strategy_rows import (
    Needs,
    check_columns,
    completed,
    never_filled,
    raw_columns,
    read_stored,
    refuse_empty,
    sorted_with_short,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Stretch:
    """Rows of some days, with the bars before them that their signals need.

    Attributes:
        rows: The rows, sorted by symbol (an `Enum`) and date.
        since: The first day whose signals are wanted.
        bars: Symbol, date and raw close of the stored bars of these days.
        until: The last of these days; None if no stretch follows.
    """

    rows: pl.DataFrame
    since: date
    bars: pl.DataFrame
    until: date | None


def read_stretches(lake: Lake, choices: Sequence[Choice], needs: Needs) -> Generator[Stretch]:
    """Yield the rows that strategies need, one year after the other; while one is used, the next one is read.

    The last bars of each symbol go over into the next year. Strategies that need all bars get them at once.

    Raises:
        StrategyFailed: A column that a strategy reads does not exist, was never calculated, or looks ahead.
    """
    empty = never_filled(lake)
    for choice in choices:
        with blamed_on(choice.label):
            check_columns(lake, [choice])
            refuse_empty(lake, empty, [choice])
    yield from ahead(_stretches(lake, needs))


def _stretches(lake: Lake, needs: Needs) -> Iterator[Stretch]:
    tail, spans = None, [*_spans(lake, needs)]
    raw = raw_columns(needs.columns)
    names = list(dict.fromkeys(["close", *raw]))
    for place, (start, end) in enumerate(spans):
        # The bars before are read for their raw columns; of the others only the closes of signals are asked for.
        from_day = start if raw or start is None else max(start, needs.since)
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(lake.read, "daily_bars", columns=["symbol", "date", *names], start=from_day, end=end)
            own = reading.result() if raw else None
            stored = read_stored(lake, needs.columns, start=start, end=end, bars=own)
            bars = reading.result()
        first = tail is None
        rows = sorted_with_short(lake, stored, needs) if first else sort_by_symbol(pl.concat([tail, stored]))
        if needs.bars is not None and place < len(spans) - 1:
            tail = with_text_symbols(_last_bars(rows, needs.bars)).rechunk()
        since = needs.since if first or start is None else start
        yield Stretch(completed(lake, rows, needs.columns), since, bars.select("symbol", "date", "close"), end)


def _spans(lake: Lake, needs: Needs) -> Iterator[tuple[date | None, date | None]]:
    """Yield the first and last day of each stretch; None means that nothing bounds it."""
    opened = lake.log(INDICATORS)
    years = sorted({file.year for file in data_files(opened, lake.schema_of(INDICATORS))}) if opened else []
    if needs.bars is None or len(years) < 2:
        yield needs.start, None
        return
    start, first = needs.start, max(needs.since.year, years[0])
    for year in (year for year in years if year >= first):
        yield start, None if year == years[-1] else date(year, 12, 31)
        start = date(year + 1, 1, 1)


def _last_bars(rows: pl.DataFrame, number: int) -> pl.DataFrame:
    """Return the last rows of each symbol; the rows are sorted by symbol."""
    lengths = rows["symbol"].rle().struct.field("len").to_numpy().astype(np.int64)
    kept = np.minimum(lengths, number)
    within = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
    return rows[within + np.repeat(np.cumsum(lengths) - kept, kept)]


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield items, and make the next one in another thread meanwhile."""

    def following() -> T | None:
        return next(items, None)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(following)
        while (item := waiting.result()) is not None:
            waiting = pool.submit(following)
            yield item
