"""Ticks while the task runs: an interval's is dropped, the only one of `once` stays due."""

from typing import Any

import dagster as dg
import pytest

from mystocks_dagster.factory.sensors import build_sensor
from mystocks_dagster.taskfile.schedule import Schedule

INTERVAL = {"schedule_type": "interval", "interval_seconds": 60, "start_time": "2026-11-24 10:00"}
ONCE = {"schedule_type": "once", "start_time": "2026-11-24 10:00"}


@dg.job(name="work")
def work() -> None:
    """A job without steps."""


@pytest.mark.parametrize(("fields", "then"), [(INTERVAL, 0), (ONCE, 1)], ids=["interval", "once"])
def test_a_tick_over_a_running_task_names_the_run(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], then: int) -> None:
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T10:00:01+08:00")
    sensor = build_sensor("work", "任务", Schedule.model_validate(fields), active=True, limit=1)
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(work)
        told = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
        assert not told.run_requests
        assert told.skip_message == f"work is already running: {run.run_id}:work (max_instances: 1)"
        instance.report_run_failed(run)
        later = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=told.cursor))
        assert len(later.run_requests or ()) == then
