"""Removal of old runs with their events and logs (decision 9).

Partitions, last materializations and checks, cursors of sensors and statistics do not change.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from mystocks_dagster import disk_errors
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.errors import InstanceError, NotNow
from mystocks_dagster.history import archive, catch_up
from mystocks_dagster.history.catch_up import Progress
from mystocks_dagster.history.cleanup import disk_space, orphans, removal, retention
from mystocks_dagster.history.models import CleanupResult
from mystocks_dagster.history.rollup import FILE, Rollup
from mystocks_dagster.market.clock import now
from mystocks_dagster.shared.named_lock import held

_BATCH = 100
#: On a full disk each batch must free more space than it needs.
_SMALL_BATCH = 5
#: A hundred years.
MOST_DAYS = 36_500
#: Folder of the stored versions of the task file, in the instance's folder.
_VERSIONS = "taskfiles"


@dataclass(frozen=True)
class InstanceRef:
    """An instance and its folder."""

    instance: dg.DagsterInstance
    home: Path


def clean_up(
    place: InstanceRef,
    days: int,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    tight: int | None = None,
    begins: Callable[[int], object] = lambda _: None,
) -> CleanupResult:
    """Remove what ended more than `days` days ago; active runs are never removed.

    Args:
        place: The instance to clean up.
        days: 1 to `MOST_DAYS`.
        dry_run: Only count what would be removed.
        progress: Called after each batch with the number of removed runs and their total.
        tight: The result of `make_room`.
        begins: Called with the number of runs before the first of them is removed; not for a dry run.

    Raises:
        InstanceError: Another clean-up is running, or `days` is out of range.
    """
    before = _before(days)
    with _alone(place.home), catch_up.opened(InstanceTables(place.instance), place.home, progress) as rollup:
        old = retention.expired_runs(place.instance, before)
        result = CleanupResult(
            days=days,
            dry_run=dry_run,
            runs=len(old.run_ids),
            executions=rollup.count_executions(old.run_ids),
            kept=old.kept,
        )
        if dry_run:
            return _dry_run_result(place, result, before, old.run_ids)
        begins(result.runs)
        size = disk_space.database_bytes(place.instance)
        batch = _BATCH if tight is None else _SMALL_BATCH
        freed = (tight or 0) + _remove_runs(place.instance, rollup, old.run_ids, progress, batch)
        ticks = orphans.remove_ticks(place.instance, before)
        versions = orphans.unused_versions(place.instance, place.home / _VERSIONS, before)
        files = [*versions, *orphans.events_of_no_run(place.instance, before)]
        freed += removal.size(files)
        for path in files:
            path.unlink(missing_ok=True)
        orphans.remove_shared_versions(place.instance, before)
    notes = (*disk_space.compact(place.instance), *_shrink_rollup(place))
    if tight:
        notes = ("The disk was full: the output of all older runs was removed first, also of runs that stay.", *notes)
    freed = max(0, freed + size - disk_space.database_bytes(place.instance))
    return replace(result, ticks=ticks, task_files=len(versions), bytes_freed=freed, notes=notes)


def make_room(home: Path, days: int, *, dry_run: bool = False) -> int | None:
    """Free space on a full disk without opening a database, which needs space; None if the disk is not full.

    Removes the reserve and the output of all old runs, also of runs that stay. Returns the bytes of that output.

    Raises:
        InstanceError: `days` is out of range.
    """
    before = _before(days)
    if not disk_errors.free_reserve(home):
        return None
    return 0 if dry_run else orphans.remove_output(home / "storage", before)


def _before(days: int) -> datetime:
    if days < 1:
        raise InstanceError(f"clean up after {days} days: at least 1, so that recent runs stay.")
    if days > MOST_DAYS:
        raise InstanceError(f"clean up after {days} days: at most {MOST_DAYS:,}, which is a hundred years.")
    return now() - timedelta(days=days)


@contextmanager
def _alone(home: Path) -> Generator[None]:
    with held(home, "cleanup") as alone:
        if not alone:
            raise NotNow("Another clean-up is running; nothing was removed. Try again when it has finished.")
        yield


def _dry_run_result(
    place: InstanceRef, result: CleanupResult, before: datetime, run_ids: Sequence[str]
) -> CleanupResult:
    versions = orphans.unused_versions(place.instance, place.home / _VERSIONS, before)
    files = [*versions, *orphans.events_of_no_run(place.instance, before)]
    freed = sum(removal.size(removal.run_files(place.instance, run_id)) for run_id in run_ids) + removal.size(files)
    return replace(
        result, ticks=orphans.count_ticks(place.instance, before), task_files=len(versions), bytes_freed=freed
    )


def _remove_runs(
    instance: dg.DagsterInstance, rollup: Rollup, run_ids: Sequence[str], progress: Progress | None, size: int
) -> int:
    """Remove runs and return the bytes of the removed files."""
    newest, snapshots, freed = retention.pinned(instance), set[str](), 0
    for start in range(0, len(run_ids), size):
        batch = run_ids[start : start + size]
        # The archive first, so that a crash at any moment loses nothing.
        if parts := rollup.of_runs(batch):
            archive.store(instance, parts)
        snapshots |= orphans.snapshots_of(instance, batch)
        freed += removal.remove_runs(instance, batch, newest)
        if progress:
            progress(start + len(batch), len(run_ids))
    orphans.remove_snapshots(instance, snapshots)
    return freed


def _shrink_rollup(place: InstanceRef) -> list[str]:
    with catch_up.opened(InstanceTables(place.instance), place.home):
        pass
    return disk_space.compact_file(place.home / FILE)
