"""The clock is set forward, or the machine wakes up, while a run starts or stops: the run goes on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.daemon import MonitoringDaemon

from mystocks_dagster.factory.monitoring import MonitorDaemon

SETTINGS = {"run_monitoring": {"enabled": True, "start_timeout_seconds": 90, "cancel_timeout_seconds": 60}}
_TIME = time.time
STARTING, CANCELING = dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_CANCELING


@dg.job
def work() -> None:
    pass


@dataclass
class Plant:
    """An instance with its daemon, whose two clocks a test sets."""

    instance: dg.DagsterInstance
    workspace: Any
    daemon: MonitoringDaemon
    seconds: float = 0

    def run(self, event: dg.DagsterEventType) -> str:
        """Make a run that starts or is being cancelled, since now, and let the daemon see it."""
        run = self.instance.create_run_for_job(work)
        self.instance.report_dagster_event(dg.DagsterEvent(event_type_value=event.value, job_name="work"), run.run_id)
        self.look()
        return run.run_id

    def look(self, ahead: timedelta = timedelta()) -> None:
        """Let the daemon look once, when the machine's clock is that much ahead."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("time.time", lambda: _TIME() + ahead.total_seconds())
            assert [error for error in self.daemon.run_iteration(self.workspace) if error] == []

    def status(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status.value


@pytest.fixture
def plant() -> Iterator[Plant]:
    with (
        dg.instance_for_test(overrides=SETTINGS) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace,
    ):
        plant = Plant(instance, workspace, MonitoringDaemon(interval_seconds=5))
        plant.daemon = MonitorDaemon(lambda: plant.seconds, interval_seconds=5)
        yield plant


@pytest.mark.parametrize(("event", "status"), [(STARTING, "STARTING"), (CANCELING, "CANCELING")])
def test_a_run_goes_on_though_the_clock_is_set_forward_while_it_starts_or_stops(
    plant: Plant, event: dg.DagsterEventType, status: str
) -> None:
    run_id = plant.run(event)
    plant.seconds = 10
    plant.look(timedelta(hours=8))
    assert plant.status(run_id) == status


@pytest.mark.parametrize(("event", "limit", "end"), [(STARTING, 90, "FAILURE"), (CANCELING, 60, "CANCELED")])
def test_a_run_that_takes_too_long_to_start_or_stop_is_ended(
    plant: Plant, event: dg.DagsterEventType, limit: int, end: str
) -> None:
    run_id = plant.run(event)
    before = plant.status(run_id)
    for plant.seconds, expected in ((limit - 1, before), (limit, end)):
        plant.look(timedelta(seconds=plant.seconds))
        assert plant.status(run_id) == expected


@pytest.mark.parametrize(("event", "end"), [(STARTING, "FAILURE"), (CANCELING, "CANCELED")])
def test_a_run_whose_process_is_gone_ends_though_the_daemon_is_restarted_again_and_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, event: dg.DagsterEventType, end: str
) -> None:
    run_id = plant.run(event)
    before, gone = plant.status(run_id), CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")
    monkeypatch.setattr(DefaultRunLauncher, "check_run_worker_health", lambda *_: gone)
    monkeypatch.setattr(DefaultRunLauncher, "supports_check_run_worker_health", True)
    plant.daemon = MonitorDaemon(lambda: plant.seconds, interval_seconds=5)
    for plant.seconds, expected in ((100, before), (105, before), (110, end)):
        plant.look(timedelta(seconds=plant.seconds))
        assert plant.status(run_id) == expected


def test_a_run_that_has_started_in_time_may_take_its_time_to_stop(plant: Plant) -> None:
    run_id = plant.run(STARTING)
    plant.seconds = 85
    plant.instance.report_run_canceling(plant.instance.get_run_by_id(run_id))
    plant.look(timedelta(seconds=85))
    plant.seconds = 144
    plant.look(timedelta(seconds=144))
    assert plant.status(run_id) == "CANCELING"


def test_dagster_alone_fails_a_run_when_the_clock_is_set_while_it_starts(plant: Plant) -> None:
    """When this fails, Dagster has mended it, and `MonitorDaemon` can go."""
    plant.daemon = MonitoringDaemon(interval_seconds=5)
    run_id = plant.run(STARTING)
    plant.look(timedelta(hours=8))
    assert plant.status(run_id) == "FAILURE"
