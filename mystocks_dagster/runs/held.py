"""Runs that the queue holds until their day's data are published."""

import time
from datetime import datetime

import dagster as dg

from mystocks_dagster.tags import Tag

#: The states of a run before it leaves the queue.
_WAITING = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)


def is_held(run: dg.DagsterRun) -> bool:
    """Return whether a queued run waits for a time that has not come."""
    until = run.tags.get(Tag.NOT_BEFORE)
    return bool(until) and run.status in _WAITING and _timestamp(until) > time.time()


def _timestamp(text: str) -> float:
    """Return the seconds since 1970 of a tag; one that somebody has written by hand holds nothing."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
