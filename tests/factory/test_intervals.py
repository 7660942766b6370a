"""Interval schedules under a clock of ours: one sensor for all, each switched by its own."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from mystocks_dagster.factory.intervals import build_intervals
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.taskfile.schedule import Schedule


class Clock:
    """The intervals' sensor, looked at by a daemon of ours at times of our choice."""

    def __init__(self, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
        self.instance, self.monkeypatch = instance, monkeypatch
        self.cursor: str | None = None

    def file(self, **jobs: dict[str, object]) -> None:
        """Load a task file with those interval schedules."""
        when = {name: Schedule.model_validate({"schedule_type": "interval", **fields}) for name, fields in jobs.items()}
        timed = [ScheduledJob(job=name, title=name, schedule=schedule) for name, schedule in when.items()]
        (self.sensor,) = build_intervals(timed, {name: _job(name) for name in when})

    def look(self, text: str) -> list[str]:
        """Return what is asked for at a time of day: `job HH:MM:SS` of when it was due."""
        self.monkeypatch.setenv("MYSTOCKS_NOW", f"2026-11-24T{text}+08:00")
        told = self.sensor.evaluate_tick(dg.build_sensor_context(instance=self.instance, cursor=self.cursor))
        self.cursor = told.cursor
        return [f"{one.job_name} {one.tags['dagster/mystocks_scheduled_at'][11:19]}" for one in told.run_requests or ()]


@pytest.fixture
def clock(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(instance, monkeypatch)


def _job(name: str) -> dg.JobDefinition:
    @dg.op(name=f"{name}_op")
    def nothing() -> None:
        return None

    return dg.GraphDefinition(name=name, node_defs=[nothing]).to_job()


def minutely(**fields: object) -> dict[str, object]:
    return {"interval_seconds": 60, "start_time": "2026-11-24T10:00:00", **fields}


def test_an_interval_fires_at_start_plus_k_intervals_without_drift(clock: Clock) -> None:
    clock.file(beat=minutely())
    looks = ["09:59:58", "10:00:03", "10:00:08", "10:00:59", "10:01:00", "10:02:04", "10:03:01"]
    assert [clock.look(text) for text in looks] == [
        [],
        ["beat 10:00:00"],
        [],
        [],
        ["beat 10:01:00"],
        ["beat 10:02:00"],
        ["beat 10:03:00"],
    ]


def test_without_a_start_time_it_counts_from_the_first_look_also_over_a_restart(clock: Clock) -> None:
    clock.file(beat={"interval_seconds": 20})
    assert clock.look("10:00:03") == ["beat 10:00:03"]
    clock.file(beat={"interval_seconds": 20})
    assert clock.look("10:00:24") == ["beat 10:00:23"]


def test_what_is_new_or_changed_has_missed_nothing(clock: Clock) -> None:
    clock.file(beat=minutely())
    clock.look("10:00:00")
    clock.file(beat=minutely(), late=minutely(start_time="2026-11-24T09:30:30", interval_seconds=3600))
    assert clock.look("10:00:45") == []
    clock.file(
        beat=minutely(interval_seconds=25), late=minutely(start_time="2026-11-24T09:30:30", interval_seconds=3600)
    )
    assert clock.look("10:00:55") == []
    assert clock.look("10:01:16") == ["beat 10:01:15"]
    assert clock.look("10:30:31") == ["beat 10:30:25", "late 10:30:30"]


@pytest.mark.parametrize(
    ("fields", "made_up_for"),
    [
        ({}, ["beat 10:05:00"]),
        ({"misfire": "skip"}, []),
        ({"misfire": "all"}, [f"beat 10:0{minute}:00" for minute in range(1, 6)]),
        ({"misfire": "all", "misfire_grace_time": 120}, ["beat 10:04:00", "beat 10:05:00"]),
        ({"misfire_grace_time": 20}, []),
    ],
    ids=["latest", "skip", "all", "all within the grace time", "latest beyond the grace time"],
)
def test_missed_starts_are_made_up_for_as_misfire_says(
    clock: Clock, fields: dict[str, object], made_up_for: Sequence[str]
) -> None:
    clock.file(beat=minutely(**fields))
    assert clock.look("10:00:00") == ["beat 10:00:00"]
    assert clock.look("10:05:30") == made_up_for
    assert clock.look("10:05:35") == []
    assert clock.look("10:06:01") == ["beat 10:06:00"]


@pytest.mark.parametrize("misfire", ["latest", "skip", "all"])
def test_a_daemon_that_looks_a_little_late_loses_no_start(clock: Clock, misfire: str) -> None:
    clock.file(
        beat={"interval_seconds": 5, "start_time": "2026-11-24T10:00:00", "misfire": misfire, "misfire_grace_time": 1}
    )
    clock.look("09:59:59.9")
    # It looks every 6 s, then it is busy for two minutes.
    looks = [f"10:{second // 60:02}:{second % 60:02}" for second in [*range(3, 60, 6), 180]]
    asked = [one for text in looks for one in clock.look(text)]
    assert asked == [f"beat 10:{second // 60:02}:{second % 60:02}" for second in range(0, 181, 5)]


@pytest.mark.parametrize(
    ("misfire", "made_up_for"),
    [("latest", []), ("skip", []), ("all", ["beat 10:00:10", "beat 10:00:15", "beat 10:00:20", "beat 10:00:25"])],
)
def test_after_a_restart_misfire_decides_about_what_no_daemon_looked_at(
    clock: Clock, misfire: str, made_up_for: list[str]
) -> None:
    clock.file(beat={"interval_seconds": 5, "start_time": "2026-11-24T10:00:00", "misfire": misfire})
    assert clock.look("10:00:00") == ["beat 10:00:00"]
    assert clock.look("10:00:07") == ["beat 10:00:05"]
    downtime.begin(clock.instance, datetime.fromisoformat("2026-11-24T10:00:29+08:00"))
    assert clock.look("10:00:31") == [*made_up_for, "beat 10:00:30"]


def test_the_window_and_the_trading_days_are_kept(clock: Clock) -> None:
    clock.file(window=minutely(end_time="2026-11-24T10:01:00"))
    assert [clock.look(text) for text in ("10:00:01", "10:01:01", "10:02:01")] == [
        ["window 10:00:00"],
        ["window 10:01:00"],
        [],
    ]


def test_what_is_switched_off_does_not_fire_and_has_missed_nothing_when_it_is_on_again(
    clock: Clock, instance: dg.DagsterInstance
) -> None:
    clock.file(beat=minutely(misfire="all"))
    clock.look("10:00:00")
    switch(instance, "beat", on=False, at="2026-11-24T10:00:10+08:00")
    assert clock.look("10:01:01") == []
    # The daemon is down while the switch is turned.
    switch(instance, "beat", on=True, at="2026-11-24T10:02:30+08:00")
    assert clock.look("10:03:05") == ["beat 10:03:00"]


def test_a_start_that_is_skipped_says_why_among_the_ticks_of_the_tasks_own_sensor(
    clock: Clock, instance: dg.DagsterInstance
) -> None:
    clock.file(rests={"interval_seconds": 60, "start_time": "2026-11-24T10:00:00", "misfire": "skip"})
    clock.look("09:59:59")
    state = switch(instance, "rests", on=True, at="2026-11-24T09:00:00+08:00")
    clock.look("10:02:30")
    (tick,) = instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert "3 missed starts, the last due at 2026-11-24 10:02:00" in (tick.skip_reason or "")
    assert "misfire: skip" in (tick.skip_reason or "")


@pytest.mark.slow
def test_a_thousand_intervals_are_one_look(clock: Clock) -> None:
    clock.file(
        **{f"task_{number}": minutely(start_time=f"2026-11-24T10:00:{number % 60:02}") for number in range(1000)}
    )
    clock.look("09:59:59")
    assert len(clock.look("10:00:00")) == len([number for number in range(1000) if number % 60 == 0])


def switch(instance: dg.DagsterInstance, job: str, *, on: bool, at: str) -> InstigatorState:
    """Turn the switch of a job as Dagster notes it."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(executable_path="python", module_name="none"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), f"{job}__schedule")
    data = SensorInstigatorData(last_sensor_start_timestamp=datetime.fromisoformat(at).timestamp())
    state = InstigatorState(
        origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING if on else InstigatorStatus.STOPPED, data
    )
    known = instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id())
    (instance.update_instigator_state if known else instance.add_instigator_state)(state)
    return state
