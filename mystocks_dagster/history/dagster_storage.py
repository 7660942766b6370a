"""Reading many runs and their events out of Dagster's storage at once: its own API asks run by run, and slowly.

On SQLite each run's events are a file of their own; elsewhere all of them are one table.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as db

from mystocks_dagster.dagster_internals import RunsTable as Runs
from mystocks_dagster.dagster_internals import SqlEventLogStorageTable as Events
from mystocks_dagster.errors import InstanceError


class Listed(NamedTuple):
    """A run as the list of runs has it; `updated` is comparable with what the same storage said before, and no more."""

    run_id: str
    status: str
    created: float
    updated: str


def run_storage(instance: dg.DagsterInstance) -> Any:
    """Return where runs are stored; every storage of Dagster's is an SQL one."""
    return instance.run_storage


def event_storage(instance: dg.DagsterInstance) -> Any:
    """Return where events are stored."""
    return instance.event_log_storage


def schedule_storage(instance: dg.DagsterInstance) -> Any:
    """Return where ticks are stored."""
    return instance.schedule_storage


def time_zone(instance: dg.DagsterInstance) -> str:
    """Return the time zone in which the storage writes times without one; Dagster reads all of them as UTC."""
    with run_storage(instance).connect() as connection:
        if connection.dialect.name != "postgresql":
            return "UTC"
        return connection.execute(db.text("SHOW timezone")).scalar_one()


def listed(
    instance: dg.DagsterInstance, *, since: datetime | None = None, run_ids: Iterable[str] | None = None
) -> list[Listed]:
    """Return all runs, or some, the newest first.

    Args:
        instance: Dagster's.
        since: Only those that were made or changed since then: a naive time as the storage itself writes them.
        run_ids: Only these.
    """
    query = db.select(Runs.c.run_id, Runs.c.status, Runs.c.create_timestamp, Runs.c.update_timestamp)
    if since is not None:
        # In two steps, because an index has the times, and the table's rows are long.
        changed = db.select(Runs.c.id).where(db.or_(Runs.c.create_timestamp >= since, Runs.c.update_timestamp >= since))
        query = query.where(Runs.c.id.in_(changed))
    if run_ids is not None:
        query = query.where(Runs.c.run_id.in_(list(run_ids)))
    with run_storage(instance).connect() as connection:
        rows = connection.execute(query.order_by(Runs.c.id.desc())).all()
    return [Listed(run_id, status, _epoch(created), str(updated)) for run_id, status, created, updated in rows]


def count_runs(instance: dg.DagsterInstance) -> int:
    """Return how many runs there are."""
    with run_storage(instance).connect() as connection:
        return connection.execute(db.select(db.func.count()).select_from(Runs)).scalar_one()


def records(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> list[dg.RunRecord]:
    """Return the runs of those ids that there are."""
    return list(instance.get_run_records(dg.RunsFilter(run_ids=list(run_ids)))) if run_ids else []


def events(
    instance: dg.DagsterInstance, run_ids: Iterable[str], types: Iterable[dg.DagsterEventType]
) -> dict[str, list[dg.EventLogEntry]]:
    """Return the events of those types by run id, in the order in which they were stored."""
    names = [one.value for one in types]
    if event_storage(instance).is_run_sharded:
        texts = {run_id: _of_shard(shard(instance, run_id), names) for run_id in run_ids}
    else:
        texts = _of_table(instance, list(run_ids), names)
    return {run_id: [dg.deserialize_value(text, dg.EventLogEntry) for text in those] for run_id, those in texts.items()}


def shard(instance: dg.DagsterInstance, run_id: str) -> Path:
    """Return the file of a run's events, where each run has one."""
    return Path(event_storage(instance).path_for_shard(run_id))


def _of_shard(path: Path, types: Sequence[str]) -> list[str]:
    marks = ",".join("?" * len(types))
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=30)) as connection:
            found = connection.execute(
                f"SELECT event FROM event_logs WHERE dagster_event_type IN ({marks}) ORDER BY id", types
            )
            return [text for (text,) in found]
    except sqlite3.OperationalError as error:
        # The run was just made, or has just been removed.
        if "unable to open" in str(error) or "no such table" in str(error):
            return []
        raise InstanceError(
            f"{path}: the run's events cannot be read ({error}). Try again; if it stays so, check the disk."
        ) from error


def _of_table(instance: dg.DagsterInstance, run_ids: list[str], types: list[str]) -> Mapping[str, list[str]]:
    query = (
        db.select(Events.c.run_id, Events.c.event)
        .where(Events.c.run_id.in_(run_ids), Events.c.dagster_event_type.in_(types))
        .order_by(Events.c.id)
    )
    found: dict[str, list[str]] = defaultdict(list)
    with event_storage(instance).index_connection() as connection:
        for run_id, text in connection.execute(query):
            found[run_id].append(text)
    return found


def _epoch(naive: datetime) -> float:
    return naive.replace(tzinfo=UTC).timestamp()
