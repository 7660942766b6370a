"""When the rows of a trading day are published."""

from datetime import date, datetime, time, timedelta

from mystocks_dagster.datasets.model import DatasetFile
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI

_DAY = timedelta(days=1)


def published_at(spec: DatasetFile, day: date) -> datetime:
    """Return the moment at which the rows of a trading day are there."""
    for _ in range(spec.published.days_after):
        day = _session(day, _DAY)
    hour, minute = map(int, spec.published.at.split(":"))
    return datetime.combine(day, time(hour, minute), SHANGHAI)


def is_published(spec: DatasetFile, day: date) -> bool:
    """Return whether the rows of a trading day are there by now."""
    return clock.now() >= published_at(spec, day)


def newest_published(spec: DatasetFile, closed: date) -> date:
    """Return the newest trading day, up to the latest closed one, whose rows are there."""
    day = closed
    while not is_published(spec, day):
        day = _session(day, -_DAY)
    return day


def sessions_back(day: date, count: int) -> list[date]:
    """Return the last `count` trading days up to `day`, ascending."""
    days = [day]
    while len(days) < count:
        days.insert(0, _session(days[0], -_DAY))
    return days


def _session(day: date, step: timedelta) -> date:
    """Return the next trading day in a direction; beyond the calendar every weekday is assumed to be one."""
    day += step
    while not shanghai().is_probable_session(day)[0]:
        day += step
    return day
