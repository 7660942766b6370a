"""`mystocks next`: the times at which the daemon would start something, and no others."""

from datetime import datetime
from itertools import islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from support.commands import Commands

from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import tick
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling.next_runs import NextRun, starts
from mystocks_dagster.taskfile.schedule import Schedule


def schedule(**fields: object) -> Schedule:
    return Schedule.model_validate({"schedule_type": "cron", **fields})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def coming(when: Schedule, after: str, count: int, cursor: str | None = None) -> list[NextRun]:
    return list(islice(starts("task", when, at(after), cursor=cursor), count))


def times(when: Schedule, after: str, count: int, cursor: str | None = None) -> list[str]:
    return [one.time.isoformat() for one in coming(when, after, count, cursor)]


def test_trading_days_only_leaves_out_the_spring_festival() -> None:
    # The exchanges' notice for 2026: closed from Sunday, 15 February, to Monday, 23 February.
    found = times(schedule(cron_expression="30 16 * * 1-5", trading_days_only=True), "2026-02-12T16:30:01", 3)
    assert found == ["2026-02-13T16:30:00+08:00", "2026-02-24T16:30:00+08:00", "2026-02-25T16:30:00+08:00"]


def test_a_day_without_trading_is_marked_where_it_is_not_left_out() -> None:
    found = coming(schedule(cron_expression="0 0 1 * *"), "2026-09-15T00:00:00", 5)
    assert [(one.time.date().isoformat(), one.weekday, one.trading_day, one.certain) for one in found] == [
        ("2026-10-01", "Thursday", False, True),
        ("2026-11-01", "Sunday", False, True),
        ("2026-12-01", "Tuesday", True, True),
        ("2027-01-01", "Friday", False, True),
        ("2027-02-01", "Monday", True, False),
    ]


def test_daylight_saving_moves_the_offset_and_not_the_hour() -> None:
    found = times(schedule(cron_expression="30 9 * * *", timezone="America/New_York"), "2026-03-06T20:00:00", 3)
    assert found == ["2026-03-06T09:30:00-05:00", "2026-03-07T09:30:00-05:00", "2026-03-08T09:30:00-04:00"]


def test_an_interval_counts_seconds_across_a_change_of_the_clocks() -> None:
    daily = schedule(
        schedule_type="interval", interval_seconds=86400, timezone="America/New_York", start_time="2026-03-07T12:00:00"
    )
    assert times(daily, "2026-03-08T00:00:00", 3) == [
        "2026-03-07T12:00:00-05:00",
        "2026-03-08T13:00:00-04:00",
        "2026-03-09T13:00:00-04:00",
    ]


def test_an_interval_counts_from_where_it_was_first_seen() -> None:
    every = schedule(schedule_type="interval", interval_seconds=20)
    found = [
        one.time.isoformat()
        for one in islice(starts("task", every, at("2026-11-24T10:00:00"), anchor=at("2026-11-24T09:00:03")), 2)
    ]
    assert found == ["2026-11-24T10:00:03+08:00", "2026-11-24T10:00:23+08:00"]


def test_a_short_interval_skips_a_long_holiday_at_once() -> None:
    every = schedule(
        schedule_type="interval", interval_seconds=5, trading_days_only=True, start_time="2026-02-13T00:00:00"
    )
    assert times(every, "2026-02-13T23:59:55", 2) == ["2026-02-13T23:59:55+08:00", "2026-02-24T00:00:00+08:00"]


def test_the_window_is_kept() -> None:
    window = schedule(cron_expression="0 9 * * *", start_time="2026-11-26T09:00:00", end_time="2026-11-28T09:00:00")
    assert [text[:10] for text in times(window, "2026-11-24T00:00:00", 9)] == ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert times(window, "2026-11-29T00:00:00", 9) == []


def test_once_comes_once_and_not_again() -> None:
    once = schedule(schedule_type="once", start_time="2026-12-01T09:00:00")
    assert times(once, "2026-11-24T00:00:00", 3) == ["2026-12-01T09:00:00+08:00"]
    assert times(once, "2026-12-02T00:00:00", 3) == []
    done = '{"due": "2026-12-01T09:00:00+08:00", "outcome": "done"}'
    assert times(once, "2026-11-24T00:00:00", 3, done) == []


@pytest.mark.slow
def test_what_never_comes_ends() -> None:
    assert times(schedule(cron_expression="* * * * 6", trading_days_only=True), "2026-11-24T00:00:00", 1) == []


@pytest.mark.parametrize("timezone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("cron", ["30 16 * * 1-5", "*/20 9-11 * * *", "0 0 1,15 * *", "30 2 * * 0"])
def test_next_is_what_the_daemon_starts(cron: str, timezone: str) -> None:
    fields: dict[str, Any] = {
        "start_time": "2026-02-01T00:00:00",
        "end_time": "2026-11-15T00:00:00",
        "trading_days_only": True,
    }
    when = schedule(cron_expression=cron, timezone=timezone, **fields)
    first, last = datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")), datetime(2026, 12, 1, tzinfo=ZoneInfo("UTC"))
    ticks = takewhile(lambda moment: moment < last, schedule_execution_time_iterator(first.timestamp(), cron, timezone))
    started = [
        moment
        for moment in ticks
        if isinstance(tick(ScheduledJob(job="task", title="", schedule=when), moment), dg.RunRequest)
    ]
    assert [one.time for one in starts("task", when, first)] == started
    assert len(started) > 5 or cron == "30 2 * * 0"


def test_the_command_lists_all_that_are_on_in_order(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.folder.write(
        "tasks.yaml",
        """
        defaults: {task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data}
        tasks:
          - task_id: late
            task_type: cron
            schedule: {schedule_type: cron, cron_expression: "30 16 * * 1-5", trading_days_only: true}
          - task_id: early
            task_type: cron
            schedule: {schedule_type: cron, cron_expression: "0 8 * * *"}
          - task_id: silent
            task_type: cron
            schedule: {schedule_type: cron, cron_expression: "0 8 * * *", enabled: false}
        """,
    )
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-27T12:00:00+08:00")
    assert cli.json("next", "--count", "2") == [
        {"task_id": name, "time": time, "weekday": weekday, "trading_day": trading, "trading_day_certain": True}
        for name, time, weekday, trading in (
            ("late", "2026-11-27T16:30:00+08:00", "Friday", True),
            ("early", "2026-11-28T08:00:00+08:00", "Saturday", False),
            ("early", "2026-11-29T08:00:00+08:00", "Sunday", False),
            ("late", "2026-11-30T16:30:00+08:00", "Monday", True),
        )
    ]
    cli("disable", "late")
    told = cli("next")
    assert "Switched off: late, silent" in told
    assert "16:30" not in told
    assert cli.json("next", "silent") == []
    assert "Did you mean early" in cli("next", "earli", code=1)
    cli("next", "--count", "0", code=2)
