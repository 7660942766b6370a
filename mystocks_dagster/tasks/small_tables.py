"""Store the small tables of a market's past, index and ETF bars, in a thread beside the daily bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Self

import polars as pl

from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import forget_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.days_of_rows import rows_by_day
from mystocks_dagster.sources.checked import RejectedRows
from mystocks_dagster.tasks.admission import AdmissionResult
from mystocks_dagster.tasks.background_write import BackgroundWrite
from mystocks_dagster.tasks.bars import LoadedBars, partial_days
from mystocks_dagster.tasks.known_days import KnownDays

#: Rows of a table that are written in one commit: several years of funds.
ROWS_AT_ONCE = 1_000_000


@dataclass(kw_only=True)
class LoadedTable:
    """The load of one table.

    Attributes:
        name: Its name.
        wanted: The days that are missing in the lake, ascending.
        known: The recorded days.
        loaded: What is loaded so far.
        without_actions: Whether a previous close was computed without corporate actions.
    """

    name: str
    wanted: Sequence[date]
    known: KnownDays
    loaded: LoadedBars = field(default_factory=LoadedBars)
    without_actions: bool = False


@dataclass(kw_only=True)
class _Waiting:
    """Rows of a table that are not written yet, and their findings."""

    table: LoadedTable
    frames: list[pl.DataFrame] = field(default_factory=list)
    findings: RejectedRows = field(default_factory=RejectedRows)

    @property
    def height(self) -> int:
        """The number of rows."""
        return sum(frame.height for frame in self.frames)


class SmallTables:
    """Collects rows of tables without events, and writes many of them at once, in a thread of its own.

    At the end of the context all rows are written, also when the source failed; an error of a write is raised there or
    by the next `take`.
    """

    def __init__(self, source: str, lake: Lake, record: Callable[..., None]) -> None:
        """Begin without rows.

        Args:
            source: Name of the source.
            lake: Where the rows are written.
            record: Records the days as loaded, as `lake.loads.record_days` does.
        """
        self._source, self._lake, self._record = source, lake, record
        self._waiting: dict[str, _Waiting] = {}
        self._writing = BackgroundWrite()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing:
            for name in list(self._waiting):
                self._write(name)

    def take(self, table: LoadedTable, frame: pl.DataFrame, findings: RejectedRows) -> None:
        """Take the rows of one year, and what was found in them; write those of the table if they are many."""
        waiting = self._waiting.setdefault(table.name, _Waiting(table=table))
        waiting.frames.append(frame)
        waiting.findings.faults += findings.faults
        waiting.findings.refused |= findings.refused
        if waiting.height >= ROWS_AT_ONCE:
            self._write(table.name)

    def _write(self, name: str) -> None:
        self._writing.begin(partial(self._store, self._waiting.pop(name)))

    def _store(self, waiting: _Waiting) -> None:
        table, lake, findings = waiting.table, self._lake, waiting.findings
        frame = pl.concat(waiting.frames)
        counts = _counts(table, frame)
        forget_days(lake, table.name, [day for day in counts if table.known.complete.pop(day, None) is not None])
        lake.replace_days(table.name, frame, list(counts))
        admitted = AdmissionResult(frame, list(findings.faults), dict(findings.refused))
        partial = partial_days(counts, table.known, admitted)
        self._record(lake, table.name, counts, source=self._source, incomplete=partial, lacking=table.known.lacking)
        quarantine.replace_days(lake, table.name, findings.faults, {*counts, *findings.refused}, self._source)
        table.loaded.partial |= partial
        table.loaded.faults += findings.faults
        table.loaded.refused |= findings.refused
        table.loaded.rows |= counts


def _counts(table: LoadedTable, frame: pl.DataFrame) -> dict[date, int]:
    """Return the rows by day: days without rows count too, from the first row of the table on."""
    rows = rows_by_day(frame["date"])
    years, begin = {day.year for day in rows}, min(rows) if not table.loaded.rows else date.min
    return {day: rows.get(day, 0) for day in table.wanted if day.year in years and day >= begin}
