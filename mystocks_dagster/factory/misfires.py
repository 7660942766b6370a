"""Which of the starts that were missed while no daemon looked are made up for, and why the others are not."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mystocks_dagster.taskfile.schedule import Schedule


def made_up(
    missed: Sequence[datetime], schedule: Schedule, seen: datetime, most: int, *, on_time: bool = False
) -> list[datetime]:
    """Return those of the missed starts, in order, that are run.

    Args:
        missed: When they were due.
        schedule: Its `misfire` and grace time decide.
        seen: When the daemon looks.
        most: At most so many are made up for, the last ones.
        on_time: A start that was not missed is run at the same look: for `latest` it stands for the missed ones.
    """
    if schedule.grace is not None:
        missed = [time for time in missed if seen - time <= schedule.grace]
    match schedule.misfire:
        case "all":
            return list(missed[-most:])
        case "skip":
            return []
    return [] if on_time else list(missed[-1:])


def left_out(schedule: Schedule, due: datetime, seen: datetime) -> str:
    """Return why a missed start is not made up for; it names `misfire_grace_time` only where the file sets it."""
    late, moment = seen - due, due.astimezone(ZoneInfo(schedule.timezone))
    if schedule.misfire == "skip":
        why = "and misfire is skip"
    elif schedule.misfire_grace_time is None:
        why = (
            f"more than {_span(schedule.grace or timedelta())}, the longest that a start of type "
            f"{schedule.schedule_type} may be late"
        )
    else:
        why = f"more than misfire_grace_time ({_span(timedelta(seconds=schedule.misfire_grace_time))})"
    return f"missed: due at {moment:%Y-%m-%d %H:%M:%S}, {_span(late)} ago while no daemon was looking, {why}."


def _span(length: timedelta) -> str:
    return str(timedelta(seconds=round(length.total_seconds())))
