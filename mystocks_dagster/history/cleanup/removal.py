"""Removal of many runs at once from Dagster's storage, without changing its catalog.

Dagster's `delete_run` would forget the materializations, leave the run's file of events, and take 20 ms per run.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db

from mystocks_dagster.dagster_internals import RUNLESS_RUN_ID
from mystocks_dagster.dagster_internals import AssetCheckExecutionsTable as Checks
from mystocks_dagster.dagster_internals import AssetEventTagsTable as EventTags
from mystocks_dagster.dagster_internals import AssetKeyTable as Assets
from mystocks_dagster.dagster_internals import RunsTable as Runs
from mystocks_dagster.dagster_internals import RunTagsTable as RunTags
from mystocks_dagster.dagster_internals import SqlEventLogStorageTable as Events
from mystocks_dagster.history.cleanup.retention import LASTING, Pinned
from mystocks_dagster.history.dagster_storage import event_storage, run_storage, shard


def remove_runs(instance: dg.DagsterInstance, run_ids: Sequence[str], newest: Pinned) -> int:
    """Remove runs with their events and captured output; return the bytes of the removed files.

    The rows of the runs are removed last, so that after a crash the next clean-up finds them and continues.
    """
    with event_storage(instance).index_transaction() as connection:
        _remove_events(connection, run_ids, newest)
    freed = sum(_remove_files(instance, run_id) for run_id in run_ids)
    with run_storage(instance).connect() as connection:
        connection.execute(db.delete(RunTags).where(RunTags.c.run_id.in_(run_ids)))
        connection.execute(db.delete(Runs).where(Runs.c.run_id.in_(run_ids)))
    return freed


def _remove_events(connection: Any, run_ids: Sequence[str], newest: Pinned) -> None:
    of_runs = Events.c.run_id.in_(run_ids)
    lasting = (
        connection.execute(db.select(Events.c.id).where(of_runs, Events.c.dagster_event_type.in_(LASTING)))
        .scalars()
        .all()
    )
    _detach(connection, sorted(newest.events.intersection(lasting)))
    superseded = [event_id for event_id in lasting if event_id not in newest.events]
    connection.execute(db.delete(EventTags).where(EventTags.c.event_id.in_(superseded)))
    connection.execute(db.delete(Events).where(of_runs))
    # The newest execution of a check keeps the id of its run, as after Dagster's `delete_run`.
    checks = connection.execute(db.select(Checks.c.id).where(Checks.c.run_id.in_(run_ids))).scalars().all()
    old_checks = [check_id for check_id in checks if check_id not in newest.checks]
    connection.execute(db.delete(Checks).where(Checks.c.id.in_(old_checks)))


def _detach(connection: Any, event_ids: Sequence[int]) -> None:
    """Turn events into runless events, which Dagster has too; id, time, metadata and tags stay.

    If they were reported again, asset sensors and automation would react, and the time of the data would change.
    """
    rows = connection.execute(
        db.select(Events.c.id, Events.c.event, Events.c.asset_key).where(Events.c.id.in_(event_ids))
    ).all()
    detached = {
        event_id: dg.deserialize_value(text, dg.EventLogEntry)._replace(run_id=RUNLESS_RUN_ID)
        for event_id, text, _ in rows
    }
    for event_id, entry in detached.items():
        values = {"run_id": RUNLESS_RUN_ID, "event": dg.serialize_value(entry)}
        connection.execute(db.update(Events).where(Events.c.id == event_id).values(values))
    of_assets = {asset_key for _, _, asset_key in rows}
    query = db.select(Assets.c.id, Assets.c.last_materialization).where(Assets.c.asset_key.in_(of_assets))
    for asset_id, text in connection.execute(query).all():
        last = dg.deserialize_value(text) if text else None
        if isinstance(last, dg.EventLogRecord) and last.storage_id in detached:
            record = dg.EventLogRecord(storage_id=last.storage_id, event_log_entry=detached[last.storage_id])
            connection.execute(
                db.update(Assets).where(Assets.c.id == asset_id).values(last_materialization=dg.serialize_value(record))
            )


def _remove_files(instance: dg.DagsterInstance, run_id: str) -> int:
    freed = sum(_unlink(path) for path in run_files(instance, run_id))
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    folder = Path(instance.storage_directory()) / run_id
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def run_files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Return the files of a run: its events on SQLite, the output of its steps and of its worker."""
    folder = Path(instance.storage_directory()) / run_id
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    if event_storage(instance).is_run_sharded:
        events = shard(instance, run_id)
        files += [path for ending in ("", "-wal", "-shm") if (path := events.with_name(events.name + ending)).is_file()]
    return files


def size(paths: Iterable[Path]) -> int:
    """Return the total size of files in bytes."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def _unlink(path: Path) -> int:
    try:
        taken = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return taken
