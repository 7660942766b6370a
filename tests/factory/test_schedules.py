"""When a schedule starts its job, and why it does not."""

from dataclasses import replace
from datetime import datetime

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator

from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import build_schedule, tick
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.tags import Tag
from mystocks_dagster.taskfile.schedule import Schedule


def schedule(*, active: bool = True, **fields: object) -> ScheduledJob:
    when = Schedule.model_validate({"schedule_type": "cron", "cron_expression": "0 16 * * 1-5", **fields})
    return ScheduledJob(job="daily", title="每日", schedule=when, active=active)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_one_to_five_is_monday_to_friday() -> None:
    built = build_schedule(schedule())
    # What the daemon itself asks for the next times.
    ticks = schedule_execution_time_iterator(
        at("2026-11-16 00:00").timestamp(), built.cron_schedule, built.execution_timezone
    )
    days = [next(ticks).astimezone(SHANGHAI).strftime("%a %H:%M") for _ in range(6)]
    assert days == ["Mon 16:00", "Tue 16:00", "Wed 16:00", "Thu 16:00", "Fri 16:00", "Mon 16:00"]


def test_enabled_is_running_and_in_shanghai() -> None:
    built = build_schedule(schedule())
    assert built.default_status == dg.DefaultScheduleStatus.RUNNING
    assert built.execution_timezone == "Asia/Shanghai"
    assert build_schedule(schedule(active=False)).default_status == dg.DefaultScheduleStatus.STOPPED


@pytest.mark.parametrize(
    ("day", "why"),
    [
        ("2026-02-17 16:00", "Spring Festival"),
        ("2026-10-01 16:00", "National Day"),
        ("2026-11-22 16:00", "a Sunday"),
    ],
    ids=lambda value: value.replace(" ", "-"),
)
def test_days_without_trading_are_skipped_with_the_reason(day: str, why: str) -> None:
    answer = tick(schedule(trading_days_only=True), at(day))
    assert isinstance(answer, dg.SkipReason), why
    assert day[:10] in (answer.skip_message or "")
    assert "not a trading day" in (answer.skip_message or "")


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-11-23 15:05", "2026-11-23T17:30:00+08:00"),
        ("2026-11-23 17:30", None),  # it is published
        ("2026-11-23 09:00", None),  # before the close it loads the day before
        ("2026-11-22 16:00", None),  # a Sunday
    ],
)
def test_a_start_between_the_close_and_the_publication_waits_for_it(moment: str, until: str | None) -> None:
    published = (Publication.parse("16:30"), Publication.parse("17:30"))
    answer = tick(replace(schedule(), published=published), at(moment))
    assert isinstance(answer, dg.RunRequest)
    assert answer.tags.get(Tag.NOT_BEFORE) == until


def test_an_interval_comes_again_and_does_not_wait() -> None:
    every = Schedule.model_validate({"schedule_type": "interval", "interval_seconds": 600})
    job = ScheduledJob(job="often", title="often", schedule=every, published=(Publication.parse("17:30"),))
    answer = tick(job, at("2026-11-23 16:00"))
    assert isinstance(answer, dg.RunRequest)
    assert Tag.NOT_BEFORE not in answer.tags


def test_a_trading_day_starts_the_job_once_for_a_time() -> None:
    first, again = (tick(schedule(trading_days_only=True), at("2026-11-23 16:00")) for _ in range(2))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key


def test_beyond_the_calendar_a_weekday_is_taken_for_a_trading_day_and_the_run_says_so() -> None:
    answer = tick(schedule(trading_days_only=True), at("2027-03-01 16:00"))
    assert isinstance(answer, dg.RunRequest)
    assert "2026-12-31" in answer.tags["mystocks/calendar"]


def test_the_window_is_kept() -> None:
    window = schedule(start_time="2026-11-01T00:00:00", end_time="2026-11-30T00:00:00")
    assert isinstance(tick(window, at("2026-10-30 16:00")), dg.SkipReason)
    assert isinstance(tick(window, at("2026-11-23 16:00")), dg.RunRequest)
    assert isinstance(tick(window, at("2026-12-01 16:00")), dg.SkipReason)
