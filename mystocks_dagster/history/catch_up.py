"""Updating the roll-up from Dagster's storage: each query first reads the changes since the previous one.

A cursor (the time of the last creation or change of a run) finds changed runs; runs that may still change are read
again; if the number of runs differs, for example after a deletion, all runs are compared.
"""

import fcntl
import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from mystocks_dagster import disk_errors
from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.history import archive, reading, run_table
from mystocks_dagster.history.dagster_json import Run
from mystocks_dagster.history.record import Record
from mystocks_dagster.history.rollup import FILE, Rollup, RunRow
from mystocks_dagster.history.run_table import Listed

#: Called with the number of processed runs and their total.
Progress = Callable[[int, int], None]

_CURSOR = "cursor"
#: Changes may become visible out of order, and clocks may be set back (daylight saving).
_OVERLAP = timedelta(hours=2)
#: A finished run is read again after so many seconds, since its steps may write events after its worker did.
_SETTLE_SECONDS = 60
#: Statuses in which a run writes no events.
_WAITING = ("NOT_STARTED", "QUEUED", "STARTING")
_BATCH = 100


@contextmanager
def opened(
    tables: DagsterTables, home: Path, progress: Progress | None = None, *, rebuild: bool = False
) -> Generator[Rollup]:
    """Open the roll-up in the instance's folder, and update it.

    Args:
        tables: Dagster's tables.
        home: The instance's folder.
        progress: Called after each batch of runs.
        rebuild: Discard the roll-up and read everything again.

    Raises:
        InstanceError: The file cannot be read or written.
    """
    path = home / FILE
    try:
        with ExitStack() as stack:
            with _alone(home):
                rollup = stack.enter_context(Rollup(path, discard=rebuild))
                _catch_up(tables, rollup, progress)
                rollup.freeze()
            yield rollup
    except (OSError, sqlite3.Error) as error:
        if known := disk_errors.explain(error, home):
            raise known from error
        raise InstanceError(
            f"{path} cannot be read or written ({error}). Rebuild it with: mystocks stats --rebuild"
        ) from error


@contextmanager
def _alone(home: Path) -> Generator[None]:
    """Let one process at a time read the changes; the others wait and need not read them again."""
    with (home / f"{FILE}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _catch_up(tables: DagsterTables, rollup: Rollup, progress: Progress | None) -> None:
    # Before the runs: one that a clean-up was about to remove may have lost its events already.
    for key in sorted(archive.keys(tables) - rollup.chunks()):
        runs = archive.load(tables, key)
        with rollup.transaction():
            rollup.write_removed(key, runs)
    cursor = rollup.note(_CURSOR)
    since = datetime.fromisoformat(cursor) - _OVERLAP if cursor else None
    changed = run_table.listed(tables, since=since)
    known = rollup.known([run.run_id for run in changed])
    stale = [run for run in changed if known.get(run.run_id) != (run.status, run.updated)]
    _read(tables, rollup, _with_unsettled(tables, rollup, stale), progress)
    if run_table.count_runs(tables) != rollup.count_runs():
        _reconcile(tables, rollup, progress)
    newest = max((run.updated for run in changed), default=None)
    if newest is not None and newest != cursor:
        with rollup.transaction():
            rollup.set_note(_CURSOR, newest)


def _with_unsettled(tables: DagsterTables, rollup: Rollup, stale: Sequence[Listed]) -> list[Listed]:
    """Return the changed runs, and the active runs, whose new events do not change the list of runs."""
    unsettled = set(rollup.unsettled()) - {run.run_id for run in stale}
    if not unsettled:
        return list(stale)
    return [*stale, *(run for run in run_table.listed(tables, run_ids=unsettled) if run.status not in _WAITING)]


def _reconcile(tables: DagsterTables, rollup: Rollup, progress: Progress | None) -> None:
    """Compare all runs: remove deleted ones, read missing ones."""
    stored, known = run_table.listed(tables), rollup.known()
    if deleted := known.keys() - {run.run_id for run in stored}:
        with rollup.transaction():
            rollup.forget(deleted)
    _read(tables, rollup, [run for run in stored if run.run_id not in known], progress)


def _read(tables: DagsterTables, rollup: Rollup, runs: Sequence[Listed], progress: Progress | None) -> None:
    for start in range(0, len(runs), _BATCH):
        batch = {run.run_id: run for run in runs[start : start + _BATCH]}
        executions_by_run = reading.read(tables, batch)
        with rollup.transaction():
            rollup.write(
                _run_row(batch[run_id], run, executions) for run_id, (run, executions) in executions_by_run.items()
            )
        if progress:
            progress(min(start + _BATCH, len(runs)), len(runs))


def _run_row(listed: Listed, run: Run, executions: Sequence[Record]) -> RunRow:
    settled = run.finished and run.updated < time.time() - _SETTLE_SECONDS
    return RunRow(listed.run_id, listed.created, run.status, listed.updated, settled, executions)
