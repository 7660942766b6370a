"""Dagster's storages of an open instance, for clean-ups and the doctor; the history reads `run_table` instead."""

import contextlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as db
from sqlalchemy.exc import SQLAlchemyError

#: Dagster's migrations, below its package.
_MIGRATIONS = "_core/storage/alembic"


def run_storage(instance: dg.DagsterInstance) -> Any:
    """Return the storage of runs, which is an SQL one like all of Dagster's."""
    return instance.run_storage


def event_storage(instance: dg.DagsterInstance) -> Any:
    """Return the storage of events."""
    return instance.event_log_storage


def schedule_storage(instance: dg.DagsterInstance) -> Any:
    """Return the storage of ticks."""
    return instance.schedule_storage


def time_zone(instance: dg.DagsterInstance) -> str:
    """Return the time zone of the naive times that the storage writes; Dagster reads all of them as UTC."""
    with run_storage(instance).connect() as connection:
        if connection.dialect.name != "postgresql":
            return "UTC"
        return connection.execute(db.text("SHOW timezone")).scalar_one()


class Revisions(NamedTuple):
    """The revision of the tables of a storage, that of the installed Dagster, and whether Dagster knows the former."""

    stored: str | None
    own: str | None
    known: bool


def revisions(storage: Any) -> Revisions:
    """Return the revisions of a storage's tables; an older release of Dagster does not know a newer one."""
    stored, own = storage.alembic_version()
    return Revisions(stored, own, stored is None or _is_known(stored))


def _is_known(revision: str) -> bool:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    package = find_spec("dagster")
    assert package is not None, "Dagster is installed, since this module imports it"
    folder = Path(str(package.origin)).parent / _MIGRATIONS
    try:
        return ScriptDirectory(str(folder)).get_revision(revision) is not None
    except CommandError:
        return False


def create_pools(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Create the slots of a run's pools before the queue's daemon does.

    The daemon counts the pools more than once in one look at the queue, and creates a new one each time. On Postgres
    the second time raises an error, which ends that look.
    """
    if run.execution_plan_snapshot_id is None:
        return
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    storage = event_storage(instance)
    for pool in {step.pool for step in plan.steps if step.pool} - storage.get_concurrency_keys():
        with contextlib.suppress(SQLAlchemyError):  # another process has just created it
            storage.initialize_concurrency_limit_to_default(pool)


def shard(instance: dg.DagsterInstance, run_id: str) -> Path:
    """Return the file of a run's events, if each run has its own."""
    return Path(event_storage(instance).path_for_shard(run_id))
