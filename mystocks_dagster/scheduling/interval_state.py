"""From when intervals without a start_time count: kept in Dagster's run storage, so that no restart shifts them."""

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
    """What is remembered of one interval schedule.

    Attributes:
        start: The first start; the others follow at multiples of `step`.
        step: Seconds between two starts, as the file had it when `seen` was noted.
        seen: When the schedule was first seen in this form: what was due before that was not missed.
    """

    start: datetime
    step: int
    seen: datetime


def read(tables: DagsterTables) -> dict[str, IntervalState]:
    """Return the anchors by job."""
    text = tables.note(Storage.INTERVALS)
    stored = json.loads(text) if text else {}
    return {
        job: IntervalState(start=datetime.fromisoformat(start), step=step, seen=datetime.fromisoformat(seen))
        for job, (start, step, seen) in stored.items()
    }


def write(instance: Any, anchors: Mapping[str, IntervalState]) -> None:
    """Keep the anchors instead of those kept before."""
    stored = {job: [one.start.isoformat(), one.step, one.seen.isoformat()] for job, one in anchors.items()}
    instance.daemon_cursor_storage.set_cursor_values({Storage.INTERVALS: json.dumps(stored, separators=(",", ":"))})


def looked(tables: DagsterTables) -> datetime | None:
    """Return until when the intervals have been looked at; None before the first look."""
    sensor = instigators(tables).get(INTERVALS_SENSOR)
    return looked_until(sensor.data.get("cursor")) if sensor else None


def looked_until(cursor: str | None) -> datetime | None:
    """Return the moment in the sensor's cursor."""
    return datetime.fromisoformat(json.loads(cursor)["looked"]) if cursor else None


def looked_cursor(moment: datetime) -> str:
    """Return the cursor that holds a moment."""
    return json.dumps({"looked": moment.isoformat()})
