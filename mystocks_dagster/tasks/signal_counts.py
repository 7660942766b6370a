"""How many signals of each strategy are stored: noted by each write, because to count them all takes as long as a day.

A note holds as long as the table has the number of rows that was noted with it. Where another program has written
signals, or a version was restored, they are counted again.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

import polars as pl

from mystocks_dagster.lake.data_files import data_files
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.layout import watermark_name
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.research import SIGNALS

_ROWS = "rows"


def counted(signals: pl.DataFrame) -> Counter[str]:
    """Return the number of signals of a frame by strategy."""
    return Counter(dict(signals.group_by("strategy").len().iter_rows()))


class Lost:
    """The signals that are not stored, because the lake has no bar of their symbol and day."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._examples: dict[str, tuple[str, date]] = {}

    def add(self, signals: pl.DataFrame) -> None:
        """Note signals that have no bar."""
        for (strategy,), own in signals.group_by("strategy", maintain_order=True):
            symbol, day = own.select("symbol", "date").row(0)
            self._counts[str(strategy)] += own.height
            self._examples.setdefault(str(strategy), (symbol or "null", day))

    def __str__(self) -> str:
        """Return a sentence for each strategy that lost signals; empty if none did."""
        return " ".join(
            f"{strategy}: {number:,} signals are not stored, as there is no bar of their symbol and day, such as "
            f"{symbol} on {day}."
            for strategy, number in self._counts.items()
            for symbol, day in [self._examples[strategy]]
        )


def stored(lake: Lake, strategies: Collection[str]) -> Counter[str]:
    """Return the number of stored signals of some strategies."""
    noted = _noted(lake, strategies)
    return _read(lake) if noted is None else noted


def describe_others(lake: Lake, counts: Counter[str]) -> str:
    """Return a sentence about the stored signals of other strategies than these; empty if the log has none."""
    number = (_rows(lake) or 0) - counts.total()
    if number <= 0:
        return ""
    return (
        f"{number:,} more signals are those of other strategies; `mystocks strategies list` says of which no task "
        "calculates them."
    )


def of_all(lake: Lake) -> Counter[str]:
    """Return the number of stored signals of each strategy, read from the table."""
    return _read(lake)


class Earlier(NamedTuple):
    """The stored signals before a day.

    Attributes:
        counts: Their number by strategy.
        rows: The number of rows of all strategies; None if the log does not say it.
    """

    counts: Counter[str]
    rows: int | None

    def and_from_then_on(self, content: pl.DataFrame) -> tuple[Counter[str], dict[str, int]]:
        """Return the numbers by strategy, and their notes, once all rows from that day on are `content`."""
        new = counted(content)
        counts = Counter({name: number + new[name] for name, number in self.counts.items()})
        return counts, {} if self.rows is None else notes(counts, self.rows + content.height)


def earlier(lake: Lake, strategies: Collection[str], since: date) -> Earlier:
    """Return how many signals of some strategies are stored before the day `since`."""
    all_days, later, rows = stored(lake, strategies), _read(lake, since), _rows(lake)
    counts = Counter({name: all_days[name] - later[name] for name in strategies})
    return Earlier(counts, None if rows is None else rows - later.total())


def notes(counts: Mapping[str, int], rows: int) -> dict[str, int]:
    """Return the watermarks by which a table of so many rows tells the numbers of its signals."""
    return {_ROWS: rows, **{_note(strategy): number for strategy, number in counts.items()}}


def _noted(lake: Lake, strategies: Collection[str]) -> Counter[str] | None:
    """Return the noted numbers; None if one is missing, or if they are those of another table."""
    opened = lake.log("signals")
    if opened is None:
        return Counter()
    numbers = {name: opened.transaction_version(watermark_name(opened, _note(name))) for name in strategies}
    rows = opened.transaction_version(watermark_name(opened, _ROWS))
    known = {name: number for name, number in numbers.items() if number is not None}
    return Counter(known) if rows is not None and rows == _rows(lake) and len(known) == len(numbers) else None


def _note(strategy: str) -> str:
    return f"signals:{strategy}"


def _rows(lake: Lake) -> int | None:
    """Return the number of stored rows by the log; None if it does not say."""
    opened = lake.log("signals")
    numbers = [file.rows for file in data_files(opened, SIGNALS.stored)] if opened is not None else []
    return None if None in numbers else sum(number or 0 for number in numbers)


def _read(lake: Lake, since: date | None = None) -> Counter[str]:
    if not lake.exists("signals"):
        return Counter()
    signals = lake.scan("signals", columns=["strategy"], start=since).group_by("strategy").len()
    with translate_errors(lake.location):
        return Counter(dict(signals.collect().iter_rows()))
