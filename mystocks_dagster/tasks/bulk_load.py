"""Load the past of the whole market by calendar year: only days that are missing, each year of bars in one commit."""

from collections.abc import Iterable, Sequence
from datetime import date
from threading import Lock
from typing import Any, Self

import polars as pl

from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import complete_days, entries_of
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import OwnBars
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.days_of_rows import rows_by_day
from mystocks_dagster.sources.checked import CheckedSource, take_findings
from mystocks_dagster.sources.protocol import Progress
from mystocks_dagster.tags import State
from mystocks_dagster.tasks.admission import admit
from mystocks_dagster.tasks.background_write import BackgroundWrite
from mystocks_dagster.tasks.bars import store_days
from mystocks_dagster.tasks.bars_result import bars_result
from mystocks_dagster.tasks.findings import describe_findings
from mystocks_dagster.tasks.known_days import KnownDays
from mystocks_dagster.tasks.run import TaskResult
from mystocks_dagster.tasks.small_tables import LoadedTable, SmallTables

_BARS = "daily_bars"
#: Rows after which the days that were loaded are recorded.
_ROWS_BETWEEN_RECORDS = 5_000_000
#: The tables of a whole market's past, in the order in which they are loaded within a year, and the estimated share of
#: each in the work.
TABLES_OF_THE_PAST = {_BARS: 8, "index_bars": 1, "etf_bars": 1}


def load_history(
    source: CheckedSource, lake: Lake, start: date, end: date, *, reading: Progress, writing: Progress
) -> list[TaskResult]:
    """Load what the lake lacks of the past from `start` to `end`: daily bars, index bars and ETF bars.

    A day is recorded as loaded after its rows, and the adjustment events of its year, are written. So a run that is
    killed at any point is continued by the next one, which loads at most the last years again.

    Args:
        source: A source with the market's past.
        lake: The lake to write to; stored complete days of it are neither read nor written.
        start: The first day.
        end: The last day.
        reading: Receives the progress of the source.
        writing: Receives the progress of the load.

    Returns:
        The result of each table.

    Raises:
        SourceError: The source failed; the years before are stored.
        LakeError: The lake cannot be written.
    """
    offered = [name for name in TABLES_OF_THE_PAST if name in source.history_tables]
    sessions = _sessions(start, end)
    complete = {name: complete_days(lake, name) for name in offered}
    tables = {
        name: LoadedTable(
            name=name, wanted=[day for day in sessions if day not in complete[name]], known=KnownDays.of(lake, name)
        )
        for name in offered
    }
    missing = {name: table for name, table in tables.items() if table.wanted}
    if missing:
        first = min(table.wanted[0] for table in missing.values())
        last = max(table.wanted[-1] for table in missing.values())
        actions = known_actions(lake, source.name, last)
        past = source.history(list(missing), first, last, actions=actions, progress=reading, skip=complete)
        with (
            _Records(lake) as records,
            SmallTables(source.name, lake, records.record) as small,
            BackgroundWrite() as years,
        ):
            stored = OwnBars(lake, years.wait)
            for name, frame in past:
                table = missing[name]
                if not frame.height:
                    _store_findings(source, lake, table)
                    continue
                if "actions_known" in frame.columns and not table.without_actions:
                    table.without_actions = bool((~frame["actions_known"]).any())
                if name == _BARS:
                    _store(source, lake, table, frame, records, stored, years)
                else:
                    small.take(table, frame, take_findings(source, name))
                _report(list(missing.values()), frame["date"][-1].year, writing)
        _report(list(missing.values()), last.year, writing)
    results = [_result(table, source, lake, sessions) for table in tables.values()]
    return [*results, *_damaged_files(source), *_without_actions(tables.values())]


def known_actions(lake: Lake, source: str, end: date) -> pl.DataFrame | None:
    """Return the stored corporate actions up to `end`, one row for a symbol and day; None if there are none.

    Where sources state the same day, the row of `source` counts.
    """
    if not lake.exists("corporate_actions"):
        return None
    actions = lake.read("corporate_actions", end=end)
    if actions.is_empty():
        return None
    order = actions.with_columns(foreign=pl.col("source") != source).sort("symbol", "ex_date", "foreign", "source")
    return order.unique(["symbol", "ex_date"], keep="first", maintain_order=True).drop("foreign")


def _damaged_files(source: CheckedSource) -> list[TaskResult]:
    """Return a result for files of an archive that could not be read to their end, which its notes describe."""
    faults = getattr(source, "faults", {})
    return [TaskResult(status=State.PARTIAL_SUCCESS, failed_items=tuple(faults))] if faults else []


def _without_actions(tables: Iterable[LoadedTable]) -> list[TaskResult]:
    """Return a result for bars whose previous close is the last close because no corporate actions are known."""
    unconfirmed = [table.name for table in tables if table.without_actions]
    if not unconfirmed:
        return []
    message = (
        f"No corporate actions are known, so that each previous close in {', '.join(unconfirmed)} is the last close, "
        "and prices cannot be adjusted (actions_known is false)."
    )
    return [TaskResult(status=State.PARTIAL_SUCCESS, message=message, failed_items=("corporate_actions",))]


def _sessions(start: date, end: date) -> list[date]:
    calendar = shanghai()
    first, last = max(start, calendar.first), min(end, calendar.last)
    return calendar.sessions(first, last) if first <= last else []


class _Records:
    """The entries of `loaded_days`, written together for many rows, because each write is slow.

    They are written after the rows and events of their days, also when the source fails.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake, self._entries, self._lock = lake, list[pl.DataFrame](), Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def record(self, _: Lake, table: str, rows: dict[date, int], **facts: Any) -> None:
        """Take the place of `record_days`; two threads may call it."""
        with self._lock:
            self._entries.append(entries_of(table, rows, **facts))

    def write_if_many(self) -> None:
        """Write the entries if loading their rows again would take longer than a few seconds."""
        with self._lock:
            rows = sum(int(entries["rows"].sum()) for entries in self._entries)
        if rows >= _ROWS_BETWEEN_RECORDS:
            self._write()

    def _write(self) -> None:
        with self._lock:
            entries, self._entries = self._entries, []
        if entries:
            self._lake.upsert("loaded_days", pl.concat(entries))


def _store(
    source: CheckedSource,
    lake: Lake,
    table: LoadedTable,
    frame: pl.DataFrame,
    records: _Records,
    stored: OwnBars,
    years: BackgroundWrite,
) -> None:
    """Store the daily bars of one year; the write goes on while the next year is prepared."""
    admitted = admit(lake, source, frame, newest=table.wanted[-1], whole=True, stored=stored)
    counts = rows_by_day(admitted.rows["date"])

    def write() -> None:
        store_days(source, lake, admitted, counts, table.known, table.loaded, records.record, stored)
        table.loaded.rows |= counts
        records.write_if_many()

    years.wait()
    stored.add(admitted.rows)
    years.begin(write)


def _store_findings(source: CheckedSource, lake: Lake, table: LoadedTable) -> None:
    """Quarantine the rows of a year of which none can be stored."""
    rejected = take_findings(source, table.name)
    days = {*rejected.refused, *(fault.date for fault in rejected.faults if fault.date)}
    if days:
        quarantine.replace_days(lake, table.name, rejected.faults, days, source.name)
    table.loaded.faults += rejected.faults
    table.loaded.refused |= rejected.refused


def _report(tables: Sequence[LoadedTable], year: int, progress: Progress) -> None:
    share = {table.name: TABLES_OF_THE_PAST[table.name] * len(table.wanted) for table in tables}
    done = sum(TABLES_OF_THE_PAST[table.name] * len(table.loaded.rows) for table in tables)
    progress(done, sum(share.values()), f"bars of {year}")


def _result(table: LoadedTable, source: CheckedSource, lake: Lake, sessions: Sequence[date]) -> TaskResult:
    if not table.wanted:
        span = f"from {sessions[0]} to {sessions[-1]} " if sessions else ""
        return TaskResult(
            status=State.SKIPPED, message=f"{table.name}: all {len(sessions):,} trading days {span}are complete."
        )
    if table.name == _BARS:
        return bars_result(table.loaded, table.wanted, None, source, lake)
    loaded, rows = table.loaded, sum(table.loaded.rows.values())
    failed = tuple(sorted(f"{day}" for day in loaded.failed(by_symbol=False)))
    sentences = [
        f"{table.name}: {rows:,} rows of {len(loaded.rows):,} trading days from {source.name}.",
        f"Incomplete: {abbreviate(list(loaded.partial.values()), 5)}." if loaded.partial else "",
        *describe_findings(loaded.faults, loaded.refused),
    ]
    return TaskResult(
        status=State.PARTIAL_SUCCESS if failed else State.SUCCESS if rows else State.SKIPPED,
        message=" ".join(filter(None, sentences)),
        rows={table.name: rows},
        days={table.name: tuple(sorted(day for day, count in loaded.rows.items() if count))},
        failed_items=failed,
    )
