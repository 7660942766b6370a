"""Removal of what old runs leave behind: ticks, snapshots of jobs, versions of the task file."""

import json
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
from mystocks_dagster.history.dagster_storage import event_storage, run_storage, schedule_storage, shard
from mystocks_dagster.tags import Storage
from mystocks_dagster.taskfile.known_good import FILE as KNOWN_GOOD
from mystocks_dagster.taskfile.last_good import LAST_GOOD, last_good

#: So many of the newest versions of the task file always stay: servers may still use one of them.
_VERSIONS_KEPT = 10


def count_ticks(instance: dg.DagsterInstance, before: datetime) -> int:
    """Return the number of ticks that `remove_ticks` would remove."""
    with schedule_storage(instance).connect() as connection:
        return connection.execute(db.select(db.func.count()).select_from(Ticks).where(*_old_ticks(before))).scalar_one()


def remove_ticks(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove old ticks, except the last one of each schedule and sensor, from which the daemon continues."""
    with schedule_storage(instance).connect() as connection:
        return connection.execute(db.delete(Ticks).where(*_old_ticks(before))).rowcount


def _old_ticks(before: datetime) -> tuple[Any, ...]:
    last = db.select(db.func.max(Ticks.c.id)).group_by(Ticks.c.selector_id, Ticks.c.job_origin_id)
    # Dagster also compares with an aware time in UTC.
    return (
        Ticks.c.timestamp < before.astimezone(UTC),
        Ticks.c.status != TickStatus.STARTED.value,
        Ticks.c.id.notin_(last),
    )


def remove_output(storage: Path, before: datetime) -> int:
    """Remove the captured output of runs that was last written before `before`; return its bytes.

    It uses only the files, since on a full disk no database can be opened.
    """
    freed = 0
    for path in (*storage.glob("*/compute_logs/*"), *storage.glob("*/worker.log")):
        status = path.stat()
        if path.is_file() and status.st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            freed += status.st_size
    return freed


def events_of_no_run(instance: dg.DagsterInstance, before: datetime) -> list[Path]:
    """Return the files of events, last written before `before`, whose run does not exist.

    A daemon that is killed while it asks for runs leaves them.
    """
    if not event_storage(instance).is_run_sharded:
        return []
    index = shard(instance, "index")
    files = [path for path in index.parent.glob(f"*{index.suffix}") if path != index]
    old = [path for path in files if path.stat().st_mtime < before.timestamp()]
    with run_storage(instance).connect() as connection:
        existing = {*connection.execute(db.select(Runs.c.run_id)).scalars()} if old else set()
    return [path for path in old if path.stem not in existing]


def unused_versions(instance: dg.DagsterInstance, folder: Path, before: datetime) -> list[Path]:
    """Return the versions of the task file stored before `before` that no run refers to."""
    kept = {LAST_GOOD, KNOWN_GOOD, *(f"{version}.json" for version in last_good(folder).values())}
    copies = [path for path in folder.glob("*.json") if path.name not in kept]
    stored = sorted(copies, key=lambda path: path.stat().st_mtime, reverse=True)
    old = [path for path in stored[_VERSIONS_KEPT:] if path.stat().st_mtime < before.timestamp()]
    with run_storage(instance).connect() as connection:
        return [path for path in old if not connection.execute(_runs_with(path.stem)).first()]


def unused_shared_versions(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Return the keys of the versions in the shared database, stored before `before`, that no run refers to."""
    like = {"prefix": f"{Storage.TASK_FILES}%"}
    with run_storage(instance).connect() as connection:
        stored = connection.execute(db.text("SELECT key, value FROM kvs WHERE key LIKE :prefix"), like).all()
        old = [key for key, value in stored if json.loads(value)["stored"] < before.timestamp()]
        return [key for key in old if not connection.execute(_runs_with(key.removeprefix(Storage.TASK_FILES))).first()]


def remove_shared_versions(instance: dg.DagsterInstance, before: datetime) -> int:
    """Remove what `unused_shared_versions` returns; return their number."""
    keys = unused_shared_versions(instance, before)
    with run_storage(instance).connect() as connection:
        for key in keys:
            connection.execute(db.text("DELETE FROM kvs WHERE key = :key"), {"key": key})
    return len(keys)


def _runs_with(version: str) -> Any:
    return db.select(Runs.c.id).where(Runs.c.run_body.contains(version, autoescape=True)).limit(1)


def snapshots_of(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> set[str]:
    """Return the job snapshots that some runs refer to."""
    with run_storage(instance).connect() as connection:
        query = db.select(Runs.c.snapshot_id).where(Runs.c.run_id.in_(list(run_ids))).distinct()
        return set(connection.execute(query).scalars())


def remove_snapshots(instance: dg.DagsterInstance, snapshots: Iterable[str]) -> None:
    """Remove the snapshots that no run refers to any more; Dagster stores one again when it needs it."""
    used = db.select(Runs.c.snapshot_id).where(Runs.c.snapshot_id.isnot(None))
    with run_storage(instance).connect() as connection:
        candidates = Snapshots.c.snapshot_id.in_(list(snapshots))
        connection.execute(db.delete(Snapshots).where(candidates, Snapshots.c.snapshot_id.notin_(used)))
