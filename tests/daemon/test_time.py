"""What is due exactly once, and what was missed, by the code of Dagster's own daemon and a real code server."""

import re

import dagster as dg
import exchange_calendars
import pytest
from dagster._core.scheduler.instigation import TickStatus
from support.daemon import instance_of, look, look_at_times, requested, schedules_since
from support.project import Folder

QUICK = """
    from mystocks_dagster.tasks.run import declares

    def nothing(params):
        return None

    @declares(writes=("shares",))
    def shares(params, run):
        return None
"""
CRON = """
    task_packages: [quick]
    defaults: {task_type: cron, task_module: quick, task_function: nothing}
    tasks:
      - {task_id: latest, schedule: {schedule_type: cron, cron_expression: "0 16 * * *"}}
      - {task_id: skip, schedule: {schedule_type: cron, cron_expression: "0 16 * * *", misfire: skip}}
      - {task_id: every, schedule: {schedule_type: cron, cron_expression: "0 16 * * *", misfire: all,
         trading_days_only: true}}
      - {task_id: graced, schedule: {schedule_type: cron, cron_expression: "0 16 * * *", misfire: all,
         misfire_grace_time: 259200}}
      - {task_id: hopeless, schedule: {schedule_type: cron, cron_expression: "0 16 * * *", misfire_grace_time: 3600}}
"""
ONCE = """
    task_packages: [quick]
    defaults: {task_type: cron, task_module: quick, task_function: nothing}
    tasks:
"""


@pytest.fixture
def project(folder: Folder) -> Folder:
    folder.write("quick.py", QUICK)
    return folder


def due(tags: list[dict[str, str]]) -> list[str]:
    return [one["dagster/mystocks_scheduled_at"][:16] for one in tags]


def open_tick(instance: dg.DagsterInstance, sensor: str) -> bool:
    """Say whether the sensor's last tick was begun and not ended."""
    state = next((one for one in instance.all_instigator_state() if one.instigator_name == sensor), None)
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1) if state else []
    return bool(ticks) and ticks[0].status == TickStatus.STARTED


def test_many_tasks_of_one_minute_are_asked_for_once_each_wherever_the_daemon_is_killed(project: Folder) -> None:
    names = [f"task_{number}" for number in range(12)]
    fields = dict.fromkeys(names, "max_instances: 9") | {"single": "max_instances: 1", "off": "enabled: false"}
    fields["a_table"] = "task_function: shares"
    schedule = "schedule: {schedule_type: cron, cron_expression: '* 16 * * *'}"
    lines = "".join(f"      - {{task_id: {name}, {field}, {schedule}}}\n" for name, field in fields.items())
    project.write("tasks.yaml", ONCE + lines)

    def look_at(*times: str, killed: tuple[str, int] | None = None) -> str:
        return look_at_times(project, [f"2026-12-21T{time}+08:00" for time in times], 5, *(killed or ()))

    # Of three batches, each daemon asks for the first one, is killed in the second, and leaves the third.
    look_at("15:59:05", "16:00:05", killed=("_write_files", 2))
    look_at("16:00:40", "16:01:05", killed=("_store_runs", 2))
    log = look_at("16:01:40", "16:02:05", "16:02:40")
    usual = [line for line in log.splitlines() if line.startswith("INFO:look.usual:")]
    launched = [re.fullmatch(".*Completed scheduled launch of run .* for (.*)", line) for line in usual]
    assert {line[1] for line in launched if line} == {f"{name}__schedule" for name in names}
    skipped = [re.fullmatch(".*Schedule (.*) skipped: .*max_instances: 1.", line) for line in usual]
    assert sorted(line[1] for line in skipped if line) == ["a_table__schedule", "single__schedule"]
    assert len(usual) == 14
    with instance_of(project) as instance:
        minutes = [f"2026-12-21T16:0{minute}" for minute in range(3)]
        assert {name: due(requested(instance, name)) for name in names} == dict.fromkeys(names, minutes)
        assert due(requested(instance, "single")) == minutes[:1]
        assert requested(instance, "off") == []
        ticks = {
            state.instigator_name: instance.get_ticks(state.instigator_origin_id, state.selector_id)
            for state in instance.all_instigator_state()
        }
        for name in names:
            assert [tick.status for tick in ticks[f"{name}__schedule"]] == [TickStatus.SUCCESS] * 3
            ids = {run.run_id for run in instance.get_runs(dg.RunsFilter(job_name=name))}
            assert {tick.run_ids[0] for tick in ticks[f"{name}__schedule"]} == ids
            for run_id in ids:
                events = [entry.dagster_event_type for entry in instance.all_logs(run_id)]
                assert events.count(dg.DagsterEventType.RUN_ENQUEUED) == 1
        assert [tick.status for tick in ticks["single__schedule"]] == [TickStatus.SKIPPED] * 2 + [TickStatus.SUCCESS]
        assert all("max_instances: 1" in (tick.skip_reason or "") for tick in ticks["single__schedule"][:2])
        assert len(requested(instance, "a_table")) == 1
        # The first start of the last task was asked for by Dagster's scheduler, and the last one by ours.
        others, ours = (instance.get_run_by_id(ticks["task_9__schedule"][at].run_ids[0]) for at in (-1, 0))
        assert isinstance(others, dg.DagsterRun)
        assert isinstance(ours, dg.DagsterRun)
        assert ours.tags.keys() == others.tags.keys()
        assert ours._replace(run_id="", tags={}) == others._replace(run_id="", tags={})
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.QUEUED}


def test_starts_that_were_missed_while_the_daemon_was_down(project: Folder) -> None:
    project.write("tasks.yaml", CRON)
    look(project, "2026-11-11T12:00:00+08:00")
    with instance_of(project) as instance:
        schedules_since(instance, "2026-11-11T12:00:00+08:00")
        # The daemon comes back on a Monday evening, twelve days later; a second look asks for nothing more.
        for _ in range(2):
            look(project, "2026-11-23T19:00:00+08:00")
            assert due(requested(instance, "latest")) == ["2026-11-23T16:00"]
            assert requested(instance, "skip") == []
            assert requested(instance, "hopeless") == []
            sessions = exchange_calendars.get_calendar("XSHG").sessions_in_range("2026-11-11", "2026-11-23")
            days = [f"{session:%Y-%m-%d}" for session in sessions]
            assert due(requested(instance, "every")) == [f"{day}T16:00" for day in days]
            assert [tags.get("mystocks/day") for tags in requested(instance, "every")] == [*days[:-1], None]
            assert due(requested(instance, "graced")) == [f"2026-11-{day}T16:00" for day in (21, 22, 23)]
        ticks = {
            state.instigator_name: (
                instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)[0].skip_reason
            )
            for state in instance.all_instigator_state()
        }
        assert "misfire is skip" in (ticks["skip__schedule"] or "")
        assert "more than misfire_grace_time (1:00:00)" in (ticks["hopeless__schedule"] or "")


@pytest.mark.parametrize(
    ("task", "killed_at", "days"),
    [
        # The tick at which it is killed is not the last one that is due when it is back.
        ("every", "2026-11-19T19:00:00+08:00", (11, 12, 13, 16, 17, 18, 19, 20)),
        ("graced", "2026-11-20T15:00:00+08:00", (17, 18, 19, 20)),
    ],
)
def test_missed_starts_are_made_up_for_though_the_daemon_is_killed_while_it_does_so(
    project: Folder, task: str, killed_at: str, days: tuple[int, ...]
) -> None:
    head, *tasks = re.split(r"(?=^ +- \{task_id: )", CRON, flags=re.M)
    project.write("tasks.yaml", head + next(text for text in tasks if f"task_id: {task}," in text))
    look(project, "2026-11-11T12:00:00+08:00")
    with instance_of(project) as instance:
        schedules_since(instance, "2026-11-11T12:00:00+08:00")
        look(project, killed_at, crashes={f"{task}__schedule": "RUN_LAUNCHED"})
        assert len(requested(instance, task)) == 1
        look(project, "2026-11-20T19:00:00+08:00")
        assert due(requested(instance, task)) == [f"2026-11-{day}T16:00" for day in days]


def test_once_is_exactly_once_whenever_the_daemon_is_killed(project: Folder) -> None:
    points = {"held": "TICK_HELD", "reserved": "RUN_IDS_RESERVED", "created": "RUN_CREATED", "launched": "RUN_LAUNCHED"}
    schedule = '{schedule_type: once, start_time: "2026-01-05T09:00:00+08:00", misfire_grace_time: 31622400}'
    project.write(
        "tasks.yaml", ONCE + "".join(f"      - {{task_id: {name}, schedule: {schedule}}}\n" for name in points)
    )
    left = {f"{name}__schedule": point for name, point in points.items()}
    while left:
        look(project, crashes=left)
        with instance_of(project) as instance:
            killed = [name for name in left if open_tick(instance, name)]
        assert len(killed) == 1, "the daemon died in the middle of one tick"
        del left[killed[0]]
    with instance_of(project) as instance:
        # The daemon restarts, the file is loaded again, and again.
        for _ in range(2):
            look(project)
            assert {name: len(requested(instance, name)) for name in points} == dict.fromkeys(points, 1)
        # Nor does it fire again when its run is cleaned up.
        for run in instance.get_runs():
            instance.delete_run(run.run_id)
        look(project)
        assert instance.get_runs() == []
