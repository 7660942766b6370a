"""Misfires: which missed starts are made up for, and the reasons of the others."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mystocks_dagster.taskfile.schedule import Schedule


def starts_to_make_up(
    missed: Sequence[datetime], schedule: Schedule, seen: datetime, most: int, *, on_time: bool = False
) -> list[datetime]:
    """Return the missed starts to make up for, in order.

    Args:
        missed: Due times.
        schedule: Its `misfire` and grace time decide.
        seen: Time of the daemon's evaluation.
        most: Limit; the last ones count.
        on_time: Whether the same evaluation starts one in time: for `latest` it replaces the missed ones.
    """
    if schedule.grace is not None:
        missed = [time for time in missed if seen - time <= schedule.grace]
    match schedule.misfire:
        case "all":
            return list(missed[-most:])
        case "skip":
            return []
    return [] if on_time else list(missed[-1:])


def missed_reason(schedule: Schedule, due: datetime, seen: datetime) -> str:
    """Return why a missed start is not made up for; it names `misfire_grace_time` only if the file sets it."""
    late, moment = seen - due, due.astimezone(ZoneInfo(schedule.timezone))
    if schedule.misfire == "skip":
        reason = "and misfire is skip"
    elif schedule.misfire_grace_time is None:
        grace = _span(schedule.grace or timedelta())
        reason = f"more than {grace}, the grace time of type {schedule.schedule_type}"
    else:
        reason = f"more than misfire_grace_time ({_span(timedelta(seconds=schedule.misfire_grace_time))})"
    return f"missed: due at {moment:%Y-%m-%d %H:%M:%S}, {_span(late)} ago while no daemon was active, {reason}."


def _span(length: timedelta) -> str:
    return str(timedelta(seconds=round(length.total_seconds())))
