"""When a cron expression is due, without Dagster: the times are those at which its daemon fires, which a test compares.

Over a time zone whose clocks change Dagster's own iterator is asked, since it decides what becomes of an hour that
comes twice or not at all. Shanghai's do not.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mystocks_dagster.taskfile.cron import CronTimes

_DAY = timedelta(days=1)
#: Clocks that change do so within two years, and stay for a week at least.
_STEP, _STEPS = timedelta(days=7), 106


def cron_times(expression: str, zone: str, start: datetime) -> Iterator[datetime]:
    """Yield the times from `start` on at which an expression is due, in its time zone.

    Args:
        expression: One without a fault, as `taskfile.cron.canonical` returns it.
        zone: Name of the time zone.
        start: An aware moment.
    """
    place = ZoneInfo(zone)
    first = start.astimezone(place)
    if _clocks_change(first):
        from mystocks_dagster.dagster_internals import schedule_execution_time_iterator

        yield from schedule_execution_time_iterator(start.timestamp(), expression, zone)
        return
    times = CronTimes.of(expression)
    for day in _days(times, first.date()):
        for hour in times.hours:
            for minute in times.minutes:
                moment = datetime.combine(day, time(hour, minute), place)
                if moment >= first:
                    yield moment


def _days(times: CronTimes, day: date) -> Iterator[date]:
    while day.year < date.max.year:
        if times.fits(day):
            yield day
        day += _DAY


def _clocks_change(first: datetime) -> bool:
    """Return whether the offset of a moment's time zone changes in the two years from then on."""
    return any((first + number * _STEP).utcoffset() != first.utcoffset() for number in range(_STEPS))
