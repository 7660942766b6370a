"""Starts that come due while the task runs: an interval's is dropped, the only one of `once` stays due."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepSuccessData

from mystocks_dagster.factory.intervals import build_intervals
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.sensors import build_once
from mystocks_dagster.runs import launch, max_instances
from mystocks_dagster.taskfile.schedule import Schedule


@dg.job(name="work")
def work() -> None:
    """A job without steps."""


def timed(**fields: object) -> ScheduledJob:
    return ScheduledJob(
        job="work",
        title="任务",
        schedule=Schedule.model_validate({"start_time": "2026-11-24 10:00", **fields}),
        limit=1,
    )


def look(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    return sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))


def test_a_run_that_was_written_and_never_started_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(work)
    assert max_instances.active_executions(instance, "work") == [f"{run.run_id}:work"]
    monkeypatch.setattr(max_instances, "_START_SECONDS", -1)
    assert max_instances.active_executions(instance, "work") == []
    instance.report_run_failed(run)
    started = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTING)
    assert max_instances.active_executions(instance, "work") == [f"{started.run_id}:work"]


def test_a_task_may_start_again_as_soon_as_its_result_is_there(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED)
    active = [f"{run.run_id}:work"]
    assert max_instances.active_executions(instance, "work") == active
    for event, data, left in (("STEP_START", None, active), ("STEP_SUCCESS", StepSuccessData(1.0), [])):
        happened = dg.DagsterEvent(event_type_value=event, job_name="work", step_key="work", event_specific_data=data)
        instance.report_dagster_event(happened, run_id=run.run_id)
        assert max_instances.active_executions(instance, "work") == left


def test_a_start_does_not_read_all_the_runs_of_others_that_wait(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTING)
    for number in range(20):
        other = dg.GraphDefinition(name=f"other_{number}").to_job()
        instance.create_run_for_job(other, status=dg.DagsterRunStatus.STARTING)
    read: list[Any] = []
    get = type(instance).get_run_records
    monkeypatch.setattr(type(instance), "get_run_records", lambda *a, **k: read.extend(found := get(*a, **k)) or found)
    assert max_instances.active_executions(instance, "work") == [f"{run.run_id}:work"]
    assert len(read) == 1


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), RuntimeError("the disk is full")])
def test_a_run_that_cannot_be_started_has_failed(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance, trouble: BaseException
) -> None:
    def refuse(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(instance, "submit_run", refuse)
    run = instance.create_run_for_job(work)
    with pytest.raises(type(trouble)):
        launch.start(instance, run.run_id, queued=True)
    found = instance.get_run_by_id(run.run_id)
    assert found
    assert found.status == dg.DagsterRunStatus.FAILURE
    assert repr(trouble) in str([entry.message for entry in instance.all_logs(run.run_id)])


def test_once_names_the_run_and_stays_due(monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T10:00:01+08:00")
    sensor = build_once(timed(schedule_type="once"))
    run = instance.create_run_for_job(work)
    told = look(sensor, instance, None)
    assert not told.run_requests
    assert told.skip_message == f"work is already running: {run.run_id}:work (max_instances: 1)"
    instance.report_run_failed(run)
    assert len(look(sensor, instance, told.cursor).run_requests or ()) == 1


def test_a_start_of_an_interval_names_the_run_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    (sensor,) = build_intervals([timed(schedule_type="interval", interval_seconds=60)], {"work": work})
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T10:00:01+08:00")
    run = instance.create_run_for_job(work)
    told = look(sensor, instance, None)
    assert not told.run_requests
    assert told.skip_message == f"work: work is already running: {run.run_id}:work (max_instances: 1)"
    instance.report_run_failed(run)
    told = look(sensor, instance, told.cursor)
    assert not told.run_requests
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T10:01:01+08:00")
    assert len(look(sensor, instance, told.cursor).run_requests or ()) == 1
