"""Next starts of schedules: the times at which the daemon will start their jobs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling.cron_times import cron_times
from mystocks_dagster.taskfile.schedule import Schedule

_UTC = ZoneInfo("UTC")
#: Search range; a schedule without a start in it, such as Saturdays on trading days only, has none.
_HORIZON = timedelta(days=3653)


@dataclass(frozen=True, kw_only=True)
class NextRun:
    """A future start.

    Attributes:
        task_id: Id of the task or group.
        time: In the time zone of its schedule.
        trading_day: Whether its day in Shanghai is a trading day.
        certain: False where the day is not known, after the end of the calendar.
    """

    task_id: str
    time: datetime
    trading_day: bool
    certain: bool

    @property
    def weekday(self) -> str:
        """The day of the week of `time`, such as Monday."""
        return f"{self.time:%A}"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "task_id": self.task_id,
            "time": self.time.isoformat(),
            "weekday": self.weekday,
            "trading_day": self.trading_day,
            "trading_day_certain": self.certain,
        }


def starts(
    task_id: str, schedule: Schedule, after: datetime, *, anchor: datetime | None = None, cursor: str | None = None
) -> Iterator[NextRun]:
    """Yield the starts from `after` on, in order, without days that the schedule skips.

    Args:
        task_id: Id of the task or group.
        schedule: Its schedule.
        after: Aware time.
        anchor: From when an interval without `start_time` counts; `after` when None, since it is due as soon as the
            daemon sees it.
        cursor: Cursor of the sensor of a once schedule.
    """
    calendar = shanghai()
    start = max(after, schedule.start_time or after)
    end = min(schedule.end_time or after + _HORIZON, after + _HORIZON)
    while start is not None:
        moments, start = _ticks(schedule, start, anchor or after, cursor), None
        for moment in moments:
            if moment > end:
                return
            day = moment.astimezone(SHANGHAI).date()
            trading, certain = calendar.is_probable_session(day)
            if schedule.trading_days_only and not trading:
                # Skip the rest of the day: a five-second interval has 17,280 ticks in it.
                start = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
                break
            yield NextRun(task_id=task_id, time=moment, trading_day=trading, certain=certain)


def _ticks(schedule: Schedule, start: datetime, anchor: datetime, cursor: str | None) -> Iterator[datetime]:
    """Yield the due times of the schedule from `start` on, on all days."""
    zone = ZoneInfo(schedule.timezone)
    if schedule.cron_expression:
        yield from cron_times(schedule.cron_expression, schedule.timezone, start)
    elif schedule.interval_seconds:
        step = timedelta(seconds=schedule.interval_seconds)
        # In UTC, so that daylight saving does not change an interval.
        due = (schedule.start_time or anchor).astimezone(_UTC)
        due += max(0, -((due - start) // step)) * step
        while True:
            yield due.astimezone(zone)
            due += step
    elif schedule.start_time and schedule.start_time >= start and not _fired(schedule.start_time, cursor):
        yield schedule.start_time.astimezone(zone)


def _fired(due: datetime, cursor: str | None) -> bool:
    return bool(cursor) and json.loads(cursor or "{}").get("due") == due.isoformat()
