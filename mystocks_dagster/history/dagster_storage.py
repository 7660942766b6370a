"""Dagster's storages of an opened instance, which clean-ups write to and the doctor asks; looking back reads `run_table`."""

from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db


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


def shard(instance: dg.DagsterInstance, run_id: str) -> Path:
    """Return the file of a run's events, where each run has one."""
    return Path(event_storage(instance).path_for_shard(run_id))
