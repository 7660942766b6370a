"""First starts of intervals without a start_time, in Dagster's run storage, so that a restart does not shift them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.scheduling.switch_table import instigators
from mystocks_dagster.tags import INTERVALS_SENSOR, Storage


@dataclass(frozen=True, kw_only=True)
class IntervalState:
    """Stored state of an interval schedule.

    Attributes:
        start: First start; the others follow at multiples of `step`.
        step: Seconds between two starts, as in the file when `seen` was stored.
        seen: When the schedule was first seen in this form; earlier starts are not missed.
    """

    start: datetime
    step: int
    seen: datetime


def read(tables: DagsterTables) -> dict[str, IntervalState]:
    """Return the states by job."""
    text = tables.note(Storage.INTERVALS)
    stored = json.loads(text) if text else {}
    return {
        job: IntervalState(start=datetime.fromisoformat(start), step=step, seen=datetime.fromisoformat(seen))
        for job, (start, step, seen) in stored.items()
    }


def write(instance: Any, states: Mapping[str, IntervalState]) -> None:
    """Replace the stored states."""
    stored = {job: [state.start.isoformat(), state.step, state.seen.isoformat()] for job, state in states.items()}
    instance.daemon_cursor_storage.set_cursor_values({Storage.INTERVALS: json.dumps(stored, separators=(",", ":"))})


def last_evaluation(tables: DagsterTables) -> datetime | None:
    """Return the time of the last evaluation of the intervals; None before the first."""
    sensor = instigators(tables).get(INTERVALS_SENSOR)
    return evaluated_until(sensor.data.get("cursor")) if sensor else None


def evaluated_until(cursor: str | None) -> datetime | None:
    """Return the time in the sensor's cursor."""
    return datetime.fromisoformat(json.loads(cursor)["looked"]) if cursor else None


def evaluation_cursor(moment: datetime) -> str:
    """Return the sensor's cursor for a time."""
    return json.dumps({"looked": moment.isoformat()})
