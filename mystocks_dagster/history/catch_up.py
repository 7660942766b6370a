"""Keeping the roll-up in step with Dagster's storage: each query reads what has changed since the last one, whoever asked.

A cursor (when runs were made or last changed) finds what is new; runs that may still change are read again; a count
that
differs, as after runs were deleted, makes it compare all.
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

#: Told how many runs of how many have been read.
Progress = Callable[[int, int], None]

_CURSOR = "cursor"
#: Changes may become visible in another order than that of their times, and clocks may be set back (daylight saving).
_OVERLAP = timedelta(hours=2)
#: An ended run is read once more after so many seconds: what its steps wrote may come after what its worker wrote.
_SETTLE_SECONDS = 60
#: Runs that do nothing until their status changes.
_WAITING = ("NOT_STARTED", "QUEUED", "STARTING")
_BATCH = 100


@contextmanager
def opened(
    tables: DagsterTables, home: Path, progress: Progress | None = None, *, rebuild: bool = False
) -> Generator[Rollup]:
    """Open the roll-up in the instance's folder, brought up to date.

    Args:
        tables: Dagster's.
        home: Its folder.
        progress: Called after each batch of runs.
        rebuild: Forget what is there and read everything again.

    Raises:
        InstanceError: The file cannot be read or written.
    """
    path = home / FILE
    try:
        with ExitStack() as stack:
            with _alone(home):
                rollup = stack.enter_context(Rollup(path, anew=rebuild))
                _catch_up(tables, rollup, progress)
                rollup.freeze()
            yield rollup
    except (OSError, sqlite3.Error) as error:
        if known := disk_errors.explain(error, home):
            raise known from error
        raise InstanceError(
            f"{path}: cannot be read or written ({error}). Have it made anew: mystocks stats --rebuild"
        ) from error


@contextmanager
def _alone(home: Path) -> Generator[None]:
    """Let one process at a time read what is new: the others then find it done."""
    with (home / f"{FILE}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _catch_up(tables: DagsterTables, rollup: Rollup, progress: Progress | None) -> None:
    # Before the runs themselves: one that a clean-up was about to remove may have lost its events already.
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
    """Return the changed runs and those that may have gone on without that the list of runs tells."""
    unsettled = set(rollup.unsettled()) - {run.run_id for run in stale}
    if not unsettled:
        return list(stale)
    return [*stale, *(run for run in run_table.listed(tables, run_ids=unsettled) if run.status not in _WAITING)]


def _reconcile(tables: DagsterTables, rollup: Rollup, progress: Progress | None) -> None:
    """Compare all runs: forget those that are gone, read those that were missed."""
    there, known = run_table.listed(tables), rollup.known()
    if gone := known.keys() - {run.run_id for run in there}:
        with rollup.transaction():
            rollup.forget(gone)
    _read(tables, rollup, [run for run in there if run.run_id not in known], progress)


def _read(tables: DagsterTables, rollup: Rollup, runs: Sequence[Listed], progress: Progress | None) -> None:
    for start in range(0, len(runs), _BATCH):
        batch = {run.run_id: run for run in runs[start : start + _BATCH]}
        found = reading.read(tables, batch)
        with rollup.transaction():
            rollup.write(_run_row(batch[run_id], run, executions) for run_id, (run, executions) in found.items())
        if progress:
            progress(min(start + _BATCH, len(runs)), len(runs))


def _run_row(listed: Listed, run: Run, executions: Sequence[Record]) -> RunRow:
    settled = run.finished and run.updated < time.time() - _SETTLE_SECONDS
    return RunRow(listed.run_id, listed.created, run.status, listed.updated, settled, executions)
