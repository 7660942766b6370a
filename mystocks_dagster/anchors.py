"""From when intervals without a start_time count: kept in Dagster's run storage, so that no restart shifts them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

_KEY = "mystocks/intervals"


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """What is remembered of one interval schedule.

    Attributes:
        start: The first start; the others follow at multiples of `step`.
        step: Seconds between two starts, as the file had it when `seen` was noted.
        seen: When the schedule was first seen in this form: what was due before that was not missed.
    """

    start: datetime
    step: int
    seen: datetime


def read(instance: dg.DagsterInstance) -> dict[str, Anchor]:
    """Return the anchors by job."""
    text = instance.daemon_cursor_storage.get_cursor_values({_KEY}).get(_KEY)
    stored = json.loads(text) if text else {}
    return {
        job: Anchor(start=datetime.fromisoformat(start), step=step, seen=datetime.fromisoformat(seen))
        for job, (start, step, seen) in stored.items()
    }


def write(instance: dg.DagsterInstance, anchors: Mapping[str, Anchor]) -> None:
    """Keep the anchors instead of those kept before."""
    stored = {job: [one.start.isoformat(), one.step, one.seen.isoformat()] for job, one in anchors.items()}
    instance.daemon_cursor_storage.set_cursor_values({_KEY: json.dumps(stored, separators=(",", ":"))})
