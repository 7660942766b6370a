"""The runs that a clean-up may remove, and the events that must stay."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as db

from mystocks_dagster.dagster_internals import BULK_ACTION_TERMINAL_STATUSES, FINISHED_STATUSES
from mystocks_dagster.dagster_internals import AssetCheckExecutionsTable as Checks
from mystocks_dagster.dagster_internals import RunsTable as Runs
from mystocks_dagster.dagster_internals import RunTagsTable as RunTags
from mystocks_dagster.dagster_internals import SqlEventLogStorageTable as Events
from mystocks_dagster.history.dagster_storage import event_storage, run_storage
from mystocks_dagster.tags import Tag

#: Types of the events from which Dagster derives the state of partitions.
LASTING = (dg.DagsterEventType.ASSET_MATERIALIZATION.value, dg.DagsterEventType.ASSET_OBSERVATION.value)
_COMPLETED = ("SUCCEEDED", "FAILED")


class Pinned(NamedTuple):
    """Rows that define a current state, and so outlive their run.

    Attributes:
        events: Ids of the newest materialization and observation per asset and partition.
        checks: Ids of the newest execution per check, and of its newest completed one.
    """

    events: frozenset[int]
    checks: frozenset[int]


class Expired(NamedTuple):
    """Old runs, oldest first, and the number of further old runs that must stay."""

    run_ids: list[str]
    kept: int


def expired_runs(instance: dg.DagsterInstance, before: datetime) -> Expired:
    """Return the runs that ended before `before`."""
    ended = db.or_(
        Runs.c.end_time < before.timestamp(),
        db.and_(Runs.c.end_time.is_(None), Runs.c.update_timestamp < _naive(before)),
    )
    finished = Runs.c.status.in_([status.value for status in FINISHED_STATUSES])
    with run_storage(instance).connect() as connection:
        old = connection.execute(db.select(Runs.c.run_id).where(finished, ended).order_by(Runs.c.id)).scalars().all()
    needed = set(_needed(instance))
    run_ids = [run_id for run_id in old if run_id not in needed]
    return Expired(run_ids, len(old) - len(run_ids))


def _needed(instance: dg.DagsterInstance) -> Iterator[str]:
    # SQLite would assign the highest ids again, which Dagster's sensors store as cursors.
    with run_storage(instance).connect() as connection:
        yield from connection.execute(db.select(Runs.c.run_id).order_by(Runs.c.id.desc()).limit(1)).scalars()
    with event_storage(instance).index_connection() as connection:
        yield from connection.execute(db.select(Events.c.run_id).order_by(Events.c.id.desc()).limit(1)).scalars().all()
    # Without its last run, a supervisor that was stopped by hand would be started again.
    of_supervisors = db.select(RunTags.c.run_id).where(RunTags.c.key == Tag.TASK_TYPE, RunTags.c.value == "supervisor")
    last = db.select(db.func.max(Runs.c.id)).where(Runs.c.run_id.in_(of_supervisors)).group_by(Runs.c.pipeline_name)
    with run_storage(instance).connect() as connection:
        yield from connection.execute(db.select(Runs.c.run_id).where(Runs.c.id.in_(last))).scalars().all()
    # The status of a failed partition comes from its failed run.
    for key in instance.all_asset_keys():
        storage = event_storage(instance)
        attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(key)
        yield from (run_id for run_id, _ in attempts.values())
    yield from _backfilling(instance)


def _backfilling(instance: dg.DagsterInstance) -> Sequence[Any]:
    """Return the runs of active backfills, which count them."""
    backfills = instance.get_backfills()
    active = [backfill.backfill_id for backfill in backfills if backfill.status not in BULK_ACTION_TERMINAL_STATUSES]
    with run_storage(instance).connect() as connection:
        return connection.execute(db.select(Runs.c.run_id).where(Runs.c.backfill_id.in_(active))).scalars().all()


def pinned(instance: dg.DagsterInstance) -> Pinned:
    """Return the rows that must outlive their run."""
    of_partition = (Events.c.asset_key, Events.c.dagster_event_type, Events.c.partition)
    of_check = (Checks.c.asset_key, Checks.c.check_name, Checks.c.partition)
    events = db.select(db.func.max(Events.c.id)).where(
        Events.c.asset_key.isnot(None), Events.c.dagster_event_type.in_(LASTING)
    )
    checks = db.select(db.func.max(Checks.c.id)).group_by(*of_check)
    completed = checks.where(Checks.c.execution_status.in_(_COMPLETED))
    with event_storage(instance).index_connection() as connection:
        return Pinned(
            frozenset(connection.execute(events.group_by(*of_partition)).scalars()),
            frozenset((*connection.execute(checks).scalars(), *connection.execute(completed).scalars())),
        )


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
