"""Fire times of schedules over years, compared with croniter and with the published calendar of the exchange."""

from datetime import date, datetime, timedelta
from functools import cache
from itertools import takewhile
from zoneinfo import ZoneInfo

import dagster as dg
import exchange_calendars
import pytest
from croniter import croniter
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import given, settings
from hypothesis import strategies as st

from mystocks_dagster.factory.intervals import due
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import tick
from mystocks_dagster.taskfile.schedule import Schedule

FIRST, LAST = datetime(2025, 1, 1, tzinfo=ZoneInfo("UTC")), datetime(2027, 4, 1, tzinfo=ZoneInfo("UTC"))
SHANGHAI = ZoneInfo("Asia/Shanghai")
#: What the exchanges have published ends here; after it weekdays count.
PUBLISHED = date(2026, 12, 31)

crons = st.tuples(
    st.sampled_from(["0", "30", "5,35", "*/20", "59"]),
    st.sampled_from(["0", "9", "16", "9-11", "*/6", "23"]),
    st.sampled_from(["*", "*", "*", "1", "1-7", "31"]),
    st.sampled_from(["*", "*", "*", "1", "10-12"]),
    st.sampled_from(["*", "1-5", "1-5", "0", "6", "7", "1,3"]),
).map(" ".join)
zones = st.sampled_from(["Asia/Shanghai", "Asia/Shanghai", "UTC", "America/New_York", "Europe/London"])
moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 3, 1))  # noqa: DTZ001 - an offset is what the zone of the schedule gives


@cache
def sessions() -> frozenset[date]:
    calendar = exchange_calendars.get_calendar("XSHG", start="2025-01-01", end=f"{PUBLISHED}")
    return frozenset(session.date() for session in calendar.sessions)


#: Holidays of the State Council's rules whose date is the same each year.
BY_LAW = {(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)}


def trades(moment: datetime) -> bool:
    day = moment.astimezone(SHANGHAI).date()
    if day <= PUBLISHED:
        return day in sessions()
    return day.weekday() < 5 and (day.month, day.day) not in BY_LAW


def changes_clocks(moment: datetime) -> bool:
    """Say whether the clocks of the moment's zone change on that day: what cron means then is a matter of taste."""
    return (
        moment.utcoffset() != (moment + timedelta(days=1)).utcoffset()
        or moment.utcoffset() != (moment - timedelta(days=1)).utcoffset()
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(crons, zones, st.booleans(), st.one_of(st.none(), st.tuples(moments, moments)))
def test_cron_fires_when_croniter_and_the_exchange_say_so(
    cron: str, zone: str, trading_days_only: bool, window: tuple[datetime, datetime] | None
) -> None:
    fields = {
        "schedule_type": "cron",
        "cron_expression": cron,
        "timezone": zone,
        "trading_days_only": trading_days_only,
    }
    start, end = sorted(window) if window else (None, None)
    if start and end and start < end:
        fields |= {"start_time": start.isoformat(), "end_time": end.isoformat()}
    one = ScheduledJob(job="job", title="", schedule=Schedule.model_validate(fields))
    ticks = takewhile(lambda moment: moment < LAST, schedule_execution_time_iterator(FIRST.timestamp(), cron, zone))
    fired = [moment for moment in ticks if isinstance(tick(one, moment), dg.RunRequest)]

    local = ZoneInfo(zone)
    expected = takewhile(
        lambda moment: moment < LAST, croniter(cron, FIRST.astimezone(local) - timedelta(minutes=1)).all_next(datetime)
    )
    if "start_time" in fields and start and end:
        expected = (moment for moment in expected if start.replace(tzinfo=local) <= moment <= end.replace(tzinfo=local))
    wanted = [moment for moment in expected if not trading_days_only or trades(moment)]
    assert [one for one in fired if not changes_clocks(one)] == [one for one in wanted if not changes_clocks(one)]


def test_the_spring_festival_and_the_end_of_the_calendar() -> None:
    fields = {"schedule_type": "cron", "cron_expression": "30 16 * * 1-5", "trading_days_only": True}
    one = ScheduledJob(job="job", title="", schedule=Schedule.model_validate(fields))
    ticks = takewhile(
        lambda moment: moment < LAST,
        schedule_execution_time_iterator(FIRST.timestamp(), "30 16 * * 1-5", "Asia/Shanghai"),
    )
    requests = [answer for answer in (tick(one, moment) for moment in ticks) if isinstance(answer, dg.RunRequest)]
    fired = {
        request.tags["dagster/mystocks_scheduled_at"][:10]: "mystocks/calendar" in request.tags for request in requests
    }
    # The exchanges' notice for 2026: closed from 15 to 23 February.
    assert [day for day in fired if "2026-02-12" <= day <= "2026-02-25"] == [
        "2026-02-12",
        "2026-02-13",
        "2026-02-24",
        "2026-02-25",
    ]
    assert sum(day.startswith("2026") for day in fired) == len([day for day in sessions() if day.year == 2026])
    # Beyond what is published every weekday but 1 January is taken for a trading day, and each run says so.
    assert [day for day in fired if "2026-12-30" <= day <= "2027-01-04"] == [
        "2026-12-30",
        "2026-12-31",
        "2027-01-04",
    ]
    assert {day[:4] for day, guessed in fired.items() if guessed} == {"2027"}


@settings(max_examples=100, deadline=None)
@given(st.integers(5, 100_000), moments, st.lists(st.integers(1, 30), min_size=1, max_size=200))
def test_an_interval_fires_once_at_each_multiple_whatever_the_gaps_between_two_looks(
    step: int, start: datetime, gaps: list[int]
) -> None:
    begin = start.replace(tzinfo=SHANGHAI, microsecond=0)
    looked, fired = begin - timedelta(seconds=1), []
    for gap in gaps:
        fired += due(begin, step, looked, looked := looked + timedelta(seconds=gap))
    wanted = [
        begin + timedelta(seconds=step * k)
        for k in range((looked - begin) // timedelta(seconds=step) + 1)
        if looked >= begin
    ]
    assert fired == wanted
