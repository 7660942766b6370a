"""Starts that did not happen: schedules, intervals and single starts."""

import json
from datetime import datetime, timedelta

from alerts.conftest import Project
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.sensor_definition import SensorType
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from support.receivers import Webhook

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling import downtime, interval_state, switches


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


CRON = """
    task_packages: [work]
    alerts: {{group_seconds: 0, urls: ["{url}"]}}
    tasks:
      - task_id: hourly
        task_name: 每小时
        task_type: cron
        task_module: work
        task_function: sync
        schedule: {{schedule_type: cron, cron_expression: "0 * * * *"}}
"""


class Schedules:
    """A project with an hourly schedule, whose ticks the test writes."""

    def __init__(self, project: Project, url: str) -> None:
        self.project = project
        project.at("2026-11-24T09:59:00")
        project.folder.write("tasks.yaml", CRON.format(url=url))
        project.load()
        origin = switches.repository(project.settings)
        self.origin = switches._remote(project.version.taskfile.tasks[0], origin).get_remote_origin()
        data = ScheduleInstigatorData("0 * * * *", at("2026-11-24T09:30:00").timestamp())
        project.instance.add_instigator_state(
            InstigatorState(self.origin, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE, data)
        )

        project.look()

    def tick(self, text: str, status: TickStatus, **more: object) -> None:
        """Write a tick, as the scheduler does."""
        selector = self.origin.get_selector().get_id()
        self.project.instance.create_tick(
            TickData(
                instigator_origin_id=self.origin.get_id(),
                instigator_name="hourly__schedule",
                instigator_type=InstigatorType.SCHEDULE,
                status=status,
                timestamp=at(text).timestamp(),
                selector_id=selector,
                run_ids=[],
                run_keys=[],
                **more,
            )  # type: ignore[arg-type]
        )

    def pass_time(self, until: str) -> None:
        """Look every minute until then."""
        moment = datetime.fromisoformat(str(self.project.ledger.evaluated_at or at("2026-11-24T09:59:00"))).astimezone(
            SHANGHAI
        )
        while moment < at(until):
            moment += timedelta(minutes=1)
            self.project.at(f"{moment:%Y-%m-%dT%H:%M:%S}")
            self.project.look()


def test_a_schedule_that_did_not_fire_is_told_once(project: Project, hook: Webhook) -> None:
    schedules = Schedules(project, hook.url)
    schedules.pass_time("2026-11-24T10:20:00")
    assert hook.titles == ["⏰ 定时未触发：每小时"]
    assert "应启动：2026-11-24 10:00:00（北京时间）" in hook.text
    assert "手动运行：mystocks run hourly" in hook.text


def test_one_that_fired_or_was_skipped_with_a_reason_is_not_told(project: Project, hook: Webhook) -> None:
    schedules = Schedules(project, hook.url)
    schedules.tick("2026-11-24T10:00:00", TickStatus.SUCCESS)
    schedules.tick("2026-11-24T11:00:00", TickStatus.SKIPPED, skip_reason="not a trading day")
    schedules.pass_time("2026-11-24T11:20:00")
    assert hook.titles == []


def test_after_a_pause_the_scheduler_has_time_to_catch_up_and_only_what_it_left_out_is_told(
    project: Project, hook: Webhook
) -> None:
    schedules = Schedules(project, hook.url)
    schedules.pass_time("2026-11-24T10:01:00")
    schedules.tick("2026-11-24T10:00:00", TickStatus.SUCCESS)
    # Everything is down from 10:01 to 12:30; then Dagster makes up for the latest start, 12:00, which stands for 11:00
    # too.
    project.at("2026-11-24T12:30:00")
    project.look()
    assert hook.titles == []
    schedules.tick("2026-11-24T12:00:00", TickStatus.SUCCESS)
    schedules.pass_time("2026-11-24T12:50:00")
    assert hook.titles == []
    schedules.pass_time("2026-11-24T13:10:00")
    assert hook.titles == ["⏰ 定时未触发：每小时"]


def test_a_schedule_that_is_off_is_not_missed(project: Project, hook: Webhook) -> None:
    schedules = Schedules(project, hook.url)
    switches.turn(
        project.instance, switches.repository(project.settings), "hourly", project.version.taskfile.tasks[0], on=False
    )
    schedules.pass_time("2026-11-24T10:20:00")
    assert hook.titles == []


def test_what_was_due_while_off_is_not_told_when_the_ui_resets_the_switch(project: Project, hook: Webhook) -> None:
    schedules = Schedules(project, hook.url)
    remote = switches._remote(project.version.taskfile.tasks[0], switches.repository(project.settings))
    downtime.record(project.instance, at("2026-11-24T09:58:00"), {"hourly": True})
    project.instance.stop_schedule(remote.get_remote_origin_id(), remote.selector_id, remote)
    downtime.record(project.instance, at("2026-11-24T09:59:30"), {"hourly": False})
    schedules.pass_time("2026-11-24T10:01:00")
    downtime.record(project.instance, at("2026-11-24T10:01:00"), {"hourly": False})
    project.instance.reset_schedule(remote)
    downtime.record(project.instance, at("2026-11-24T10:01:05"), {"hourly": True})
    schedules.pass_time("2026-11-24T10:20:00")
    assert hook.titles == []


SENSED = """
    task_packages: [work]
    alerts: {{group_seconds: 0, urls: ["{url}"]}}
    tasks:
      - task_id: sensed
        task_name: 按间隔
        task_type: cron
        task_module: work
        task_function: sync
        schedule: {schedule}
"""
INTERVAL = '{schedule_type: interval, interval_seconds: 600, start_time: "2026-11-24T09:00:00"}'
ONCE = '{schedule_type: once, start_time: "2026-11-24T09:30:00", misfire_grace_time: 60}'


def sensed(project: Project, url: str, schedule: str) -> None:
    """Load a task of that schedule."""
    project.at("2026-11-24T09:59:00")
    project.folder.write("tasks.yaml", SENSED.format(url=url, schedule=schedule))
    project.load()
    project.look()


def remember(project: Project, sensor: str, cursor: dict[str, str]) -> None:
    """Let a sensor that is on have noted that."""
    location = switches.repository(project.settings)
    data = SensorInstigatorData(cursor=json.dumps(cursor), sensor_type=SensorType.STANDARD)
    state = InstigatorState(
        location.get_instigator_origin(sensor), InstigatorType.SENSOR, InstigatorStatus.DECLARED_IN_CODE, data
    )
    if project.instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
        project.instance.update_instigator_state(state)
    else:
        project.instance.add_instigator_state(state)


def pass_minutes(project: Project, minutes: range, looked: str | None = None) -> None:
    """Look each minute from 10:00 on; the sensor of all intervals looks too, or stays where it was."""
    for minute in minutes:
        moment = f"2026-11-24T10:{minute:02}:00"
        project.at(moment)
        remember(project, "intervals__sensor", {"looked": f"{looked or moment}+08:00"})
        project.look()


def interval(project: Project, url: str) -> None:
    """Load a task that is due every ten minutes, counted from 09:00."""
    sensed(project, url, INTERVAL)
    nine = at("2026-11-24T09:00:00")
    interval_state.write(project.instance, {"sensed": interval_state.IntervalState(start=nine, step=600, seen=nine)})
    remember(project, "sensed__schedule", {})


def test_an_interval_whose_sensor_is_stuck_is_told_once(project: Project, hook: Webhook) -> None:
    interval(project, hook.url)
    pass_minutes(project, range(40), looked="2026-11-24T10:01:00")
    assert hook.titles == ["⏰ 定时未触发：按间隔"]
    assert "应启动：2026-11-24 10:10:00（北京时间）" in hook.text


def test_an_interval_that_keeps_up_is_not_told(project: Project, hook: Webhook) -> None:
    interval(project, hook.url)
    pass_minutes(project, range(30))
    assert hook.titles == []


def test_a_once_that_was_missed_by_more_than_its_grace_is_told_once(project: Project, hook: Webhook) -> None:
    sensed(project, hook.url, ONCE)
    remember(project, "sensed__schedule", {"due": "2026-11-24T09:30:00+08:00", "outcome": "missed"})
    pass_minutes(project, range(10))
    assert hook.titles == ["⏰ 定时未触发：按间隔"]
    assert "misfire_grace_time" in hook.text


def test_a_missed_once_with_skip_is_not_told_with_a_grace_time_that_nobody_set(project: Project, hook: Webhook) -> None:
    sensed(project, hook.url, ONCE.replace("misfire_grace_time: 60", "misfire: skip"))
    remember(project, "sensed__schedule", {"due": "2026-11-24T09:30:00+08:00", "outcome": "missed"})
    pass_minutes(project, range(10))
    assert hook.titles == ["⏰ 定时未触发：按间隔"]
    assert "misfire 为 skip" in hook.text
    assert "misfire_grace_time" not in hook.text


def test_a_once_that_ran_is_not_told(project: Project, hook: Webhook) -> None:
    sensed(project, hook.url, ONCE)
    remember(project, "sensed__schedule", {"due": "2026-11-24T09:30:00+08:00", "outcome": "done"})
    pass_minutes(project, range(10))
    assert hook.titles == []
