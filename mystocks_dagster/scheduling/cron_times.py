"""Due times of cron expressions without Dagster; a test compares them with the times of its daemon.

For a time zone with daylight saving, Dagster's own iterator is used, since it decides about hours that occur twice or
not at all. Shanghai has no daylight saving.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mystocks_dagster.taskfile.cron import CronTimes

_DAY = timedelta(days=1)
#: Daylight saving changes the offset within two years, for at least a week.
_STEP, _STEPS = timedelta(days=7), 106


def cron_times(expression: str, zone: str, start: datetime) -> Iterator[datetime]:
    """Yield the due times of an expression from `start` on, in its time zone.

    Args:
        expression: A valid expression, as `taskfile.cron.canonical` returns it.
        zone: Name of the time zone.
        start: Aware time.
    """
    time_zone = ZoneInfo(zone)
    first = start.astimezone(time_zone)
    if _clocks_change(first):
        from mystocks_dagster.dagster_internals import schedule_execution_time_iterator

        yield from schedule_execution_time_iterator(start.timestamp(), expression, zone)
        return
    times = CronTimes.of(expression)
    for day in _days(times, first.date()):
        for hour in times.hours:
            for minute in times.minutes:
                moment = datetime.combine(day, time(hour, minute), time_zone)
                if moment >= first:
                    yield moment


def _days(times: CronTimes, day: date) -> Iterator[date]:
    while day.year < date.max.year:
        if times.fits(day):
            yield day
        day += _DAY


def _clocks_change(first: datetime) -> bool:
    """Whether the offset of a time zone changes in the two years after `first`."""
    return any((first + number * _STEP).utcoffset() != first.utcoffset() for number in range(_STEPS))
