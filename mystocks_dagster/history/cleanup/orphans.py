"""What old runs leave behind beside their own rows: ticks, snapshots of jobs, versions of the task file."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db

from mystocks_dagster.dagster_internals import JobTickTable as Ticks
from mystocks_dagster.dagster_internals import RunsTable as Runs
from mystocks_dagster.dagster_internals import SnapshotsTable as Snapshots
from mystocks_dagster.dagster_internals import TickStatus
from mystocks_dagster.history.dagster_storage import run_storage, schedule_storage
from mystocks_dagster.taskfile.known_good import FILE as KNOWN_GOOD
from mystocks_dagster.taskfile.last_good import LAST_GOOD, last_good

#: So many newest versions of the task file stay in any case: servers may still work with one of them.
_VERSIONS_KEPT = 10


def count_ticks(instance: dg.DagsterInstance, before: datetime) -> int:
    """Return how many ticks `remove_ticks` would remove."""
    with schedule_storage(instance).connect() as connection:
        return connection.execute(db.select(db.func.count()).select_from(Ticks).where(*_old_ticks(before))).scalar_one()


def remove_ticks(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove ticks that ended before then, but never a schedule's or sensor's last one: the daemon goes on from there."""
    with schedule_storage(instance).connect() as connection:
        return connection.execute(db.delete(Ticks).where(*_old_ticks(before))).rowcount


def _old_ticks(before: datetime) -> tuple[Any, ...]:
    last = db.select(db.func.max(Ticks.c.id)).group_by(Ticks.c.selector_id, Ticks.c.job_origin_id)
    # Dagster itself compares with an aware time in UTC.
    return (
        Ticks.c.timestamp < before.astimezone(UTC),
        Ticks.c.status != TickStatus.STARTED.value,
        Ticks.c.id.notin_(last),
    )


def remove_output(storage: Path, before: datetime) -> int:
    """Remove the captured output of runs that was written before then, by the files alone; return their bytes.

    On a full disk it makes the room without which no database can be opened.
    """
    freed = 0
    for path in (*storage.glob("*/compute_logs/*"), *storage.glob("*/worker.log")):
        status = path.stat()
        if path.is_file() and status.st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            freed += status.st_size
    return freed


def unused_versions(instance: dg.DagsterInstance, folder: Path, before: datetime) -> list[Path]:
    """Return the stored versions of the task file that were stored before then and that no run names."""
    kept = {LAST_GOOD, KNOWN_GOOD, *(f"{version}.json" for version in last_good(folder).values())}
    copies = [path for path in folder.glob("*.json") if path.name not in kept]
    stored = sorted(copies, key=lambda path: path.stat().st_mtime, reverse=True)
    old = [path for path in stored[_VERSIONS_KEPT:] if path.stat().st_mtime < before.timestamp()]
    with run_storage(instance).connect() as connection:
        return [path for path in old if not connection.execute(_runs_with(path.stem)).first()]


def _runs_with(version: str) -> Any:
    return db.select(Runs.c.id).where(Runs.c.run_body.contains(version, autoescape=True)).limit(1)


def snapshots_of(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> set[str]:
    """Return the snapshots of jobs that these runs refer to."""
    with run_storage(instance).connect() as connection:
        return set(
            connection.execute(
                db.select(Runs.c.snapshot_id).where(Runs.c.run_id.in_(list(run_ids))).distinct()
            ).scalars()
        )


def remove_snapshots(instance: dg.DagsterInstance, snapshots: Iterable[str]) -> None:
    """Remove those of the snapshots that no run refers to any more; one that is made again is stored again."""
    used = db.select(Runs.c.snapshot_id).where(Runs.c.snapshot_id.isnot(None))
    with run_storage(instance).connect() as connection:
        connection.execute(
            db.delete(Snapshots).where(
                Snapshots.c.snapshot_id.in_(list(snapshots)), Snapshots.c.snapshot_id.notin_(used)
            )
        )
