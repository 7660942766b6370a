"""A run that is stopped while it starts: whatever happens in between, once the stop is answered no body starts.

Each test forces one interleaving of a stop with Dagster's queue, with our launcher, or with the run's real process.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import psutil
import pytest
from dagster._core.run_coordinator.base import SubmitRunContext
from support.project import Folder, wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import launcher as launcher_module
from mystocks_dagster.factory.launcher import ProcessRunLauncher
from mystocks_dagster.factory.run_queue import QueueDaemon
from mystocks_dagster.instance import open_instance
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs import launch
from mystocks_dagster.runs import stop as stopping
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [gated]
    tasks:
      - {task_id: work, task_type: manual, task_module: gated, task_function: work, auto_restart: true}
      - {task_id: failing, task_type: manual, task_module: gated, task_function: fail, retry_count: 3, retry_delay: 200}
    task_groups:
      - {group_id: in_turn, tasks: [failing]}
      - {group_id: side_by_side, tasks: [failing], execution_mode: parallel}
"""
#: The module holds its import in the run's process, at `gate`: Dagster has read there that the run may start.
GATED = """
    import os
    import time
    from pathlib import Path

    HERE = Path(__file__).parent
    if os.environ.get("MYSTOCKS_ONLY_JOB") and "HELD_AT" not in os.environ and (HERE / "gate").exists():
        (HERE / "importing").touch()
        while (HERE / "gate").exists():
            time.sleep(0.05)

    def work(params):
        (HERE / "began").touch()
        while not (HERE / "go").exists():
            time.sleep(0.1)

    def fail(params):
        raise ConnectionError("the source does not answer")
"""
#: Imported first in the run's process, it holds it later at one of two points, at `gate`.
HELD_PROCESS = """
    import os
    import time
    from pathlib import Path

    from dagster import DagsterInstance

    HERE = Path(__file__).parent

    def hold(at):
        if os.environ["HELD_AT"] == at:
            (HERE / "held").touch()
            while (HERE / "gate").exists():
                time.sleep(0.05)

    handle = DagsterInstance.handle_new_event

    def handle_held(self, entry, **options):
        if entry.dagster_event and entry.dagster_event.event_type_value == "PIPELINE_START":
            hold("says that it starts")
        handle(self, entry, **options)
        if entry.dagster_event and entry.dagster_event.event_type_value == "STEP_START":
            hold("begins the step")

    DagsterInstance.handle_new_event = handle_held
"""
Stop = Callable[[dg.DagsterInstance, str], None]


def cancel(instance: dg.DagsterInstance, run_id: str) -> None:
    """Stop as the UI, GraphQL, REST, the pages, `mystocks stop`, Ctrl-C and the supervisors' sensor do."""
    instance.run_coordinator.cancel_run(run_id)


def force(instance: dg.DagsterInstance, run_id: str) -> None:
    """Stop as GraphQL does with MARK_AS_CANCELED_IMMEDIATELY."""
    cancel(instance, run_id)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    if not run.is_finished:
        instance.report_run_canceled(run)


def of_backfill(instance: dg.DagsterInstance, run_id: str) -> None:
    """Stop a queued run as Dagster does when its backfill is stopped: past the run coordinator."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_canceling(run)
    instance.report_run_canceled(run)


@dataclass
class Plant:
    """A project on a real instance, whose queue the test moves by hand."""

    folder: Folder
    instance: dg.DagsterInstance
    settings: Settings

    def new(self, name: str = "work") -> str:
        return launch.create_run(self.instance, launch.load(self.settings), name, {}, {"dagster/max_retries": "1"})

    def queued(self, name: str = "work") -> str:
        run_id = self.new(name)
        launch.start(self.instance, run_id, queued=True)
        assert self.status(run_id) == "QUEUED"
        return run_id

    def dequeue(self) -> None:
        """Let Dagster's queue look once, and start what may start."""
        daemon, config = QueueDaemon(interval_seconds=1), self.instance.get_concurrency_config()
        for run in daemon._get_runs_to_dequeue(self.instance, config, None):
            workspace: Any = None
            daemon._dequeue_run(self.instance, workspace, run, config, None)

    def status(self, run_id: str) -> str:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status.value

    def there(self, name: str) -> bool:
        return (self.folder.root / name).exists()

    def never_runs(self, run_id: str) -> None:
        """Check, when its process has ended, that the run is cancelled and that its task has not begun."""
        launcher: Any = self.instance.run_launcher
        for process in launcher._workers:
            process.wait(90)
        assert self.status(run_id) == "CANCELED"
        assert not self.there("began")


@pytest.fixture
def plant(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    folder.write("tasks.yaml", TASKS)
    folder.write("gated.py", GATED)
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setenv("PYTHONPATH", folder.environment["PYTHONPATH"])
    settings = Settings.from_env()
    with open_instance(settings) as instance:
        yield Plant(folder, instance, settings)
        (folder.root / "gate").unlink(missing_ok=True)
        (folder.root / "go").touch()
        for process in instance.run_launcher._workers:  # type: ignore[attr-defined]
            process.wait(90)


def before(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[..., None]) -> None:
    """Let `act` happen right before the first call of a function; False from it means that this was not the call."""
    original, busy = getattr(owner, name), []

    def call(*args: Any, **options: Any) -> Any:
        if not busy:
            busy.append(True)
            if act(*args, **options) is False:
                busy.clear()
        return original(*args, **options)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("stop", [cancel, force, of_backfill])
def test_a_run_stopped_after_the_queue_has_read_that_it_waits_never_starts(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    run_id = plant.queued()

    def act(event: dg.DagsterEvent, run_id: str, *_: Any, **__: Any) -> bool:
        if event.event_type != dg.DagsterEventType.RUN_STARTING:
            return False
        stop(plant.instance, run_id)
        return True

    before(monkeypatch, plant.instance, "report_dagster_event", act)
    plant.dequeue()
    plant.never_runs(run_id)


@pytest.mark.parametrize("stop", [cancel, force, of_backfill])
def test_a_run_stopped_before_its_process_is_started_never_starts(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    run_id = plant.queued()
    before(monkeypatch, launcher_module, "size_pools", lambda *_: stop(plant.instance, run_id))
    plant.dequeue()
    plant.never_runs(run_id)


@pytest.mark.parametrize("stop", [cancel, force])
def test_a_run_stopped_before_its_process_is_noted_never_starts(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    run_id = plant.queued()
    before(monkeypatch, launcher_module, "worker_tag", lambda *_: stop(plant.instance, run_id))
    plant.dequeue()
    plant.never_runs(run_id)


@pytest.mark.parametrize("stop", [cancel, force, of_backfill])
def test_a_run_stopped_while_its_process_loads_the_task_never_starts(plant: Plant, stop: Stop) -> None:
    plant.folder.write("gate", "")
    run_id = plant.queued()
    plant.dequeue()
    wait_for(lambda: plant.there("importing"), 90, "the import of the task's module")
    stop(plant.instance, run_id)
    (plant.folder.root / "gate").unlink()
    plant.never_runs(run_id)


@pytest.mark.parametrize("stop", [cancel, force, of_backfill])
@pytest.mark.parametrize("point", ["says that it starts", "begins the step"])
def test_a_run_stopped_right_before_its_process(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, stop: Stop, point: str
) -> None:
    plant.folder.write("gate", "")
    plant.folder.write("held_process.py", HELD_PROCESS)
    monkeypatch.setenv("HELD_AT", point)
    monkeypatch.setattr(launcher_module, "WORKER", f"import held_process; {launcher_module.WORKER}")
    run_id = plant.queued()
    plant.dequeue()
    wait_for(lambda: plant.there("held"), 90, f"the moment before the process {point}")
    stop(plant.instance, run_id)
    (plant.folder.root / "gate").unlink()
    plant.never_runs(run_id)


def test_a_stop_that_read_that_the_run_waits_ends_the_process_that_was_started_meanwhile(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = plant.queued()

    def act(*_: Any, **__: Any) -> None:
        plant.dequeue()
        wait_for(lambda: plant.there("began"), 90, "the body")

    before(monkeypatch, plant.instance, "report_run_canceling", act)
    cancel(plant.instance, run_id)
    launcher: Any = plant.instance.run_launcher
    assert launcher._workers[0].wait(90) == 0
    assert plant.status(run_id) == "CANCELED"


def test_a_stop_whose_event_is_there_before_its_status_is_no_failure(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.folder.write("gate", "")
    plant.folder.write("held_process.py", HELD_PROCESS)
    monkeypatch.setenv("HELD_AT", "begins the step")
    monkeypatch.setattr(launcher_module, "WORKER", f"import held_process; {launcher_module.WORKER}")
    run_id = plant.queued()
    plant.dequeue()
    wait_for(lambda: plant.there("held"), 90, "the moment before the body")
    monkeypatch.setattr(plant.instance.run_storage, "handle_run_event", lambda *_: None)
    run = plant.instance.get_run_by_id(run_id)
    assert run is not None
    plant.instance.report_run_canceling(run)
    (plant.folder.root / "gate").unlink()
    plant.never_runs(run_id)
    assert not plant.instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE, limit=1).records


def test_a_stop_that_the_launcher_reads_is_answered_as_one(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = plant.queued()
    original = ProcessRunLauncher.terminate

    def late(launcher: ProcessRunLauncher, run_id: str) -> bool:
        plant.instance.report_run_canceled(
            plant.instance.get_run_by_id(run_id), "It was stopped before it had started."
        )  # type: ignore[arg-type]
        return original(launcher, run_id)

    starting = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_STARTING.value, job_name="work")
    before(
        monkeypatch,
        plant.instance,
        "report_run_canceling",
        lambda *_, **__: plant.instance.report_dagster_event(starting, run_id),
    )
    monkeypatch.setattr(ProcessRunLauncher, "terminate", late)
    assert plant.instance.run_coordinator.cancel_run(run_id) is True
    plant.never_runs(run_id)


def test_a_run_stopped_before_it_was_queued_never_starts(plant: Plant) -> None:
    run_id = plant.new()
    of_backfill(plant.instance, run_id)
    run = plant.instance.get_run_by_id(run_id)
    assert run is not None
    # Whoever queues it has read that it was not started.
    unqueued = run.with_status(dg.DagsterRunStatus.NOT_STARTED)
    workspace: Any = None
    plant.instance.run_coordinator.submit_run(SubmitRunContext(unqueued, workspace))
    plant.dequeue()
    plant.never_runs(run_id)


def test_ctrl_c_while_a_run_is_queued_takes_it_off_the_queue(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    from mystocks_dagster.project.follow import run_and_follow
    from mystocks_dagster.project.project import Project

    project, run_id = Project(plant.settings), plant.new()
    monkeypatch.setattr(launch, "daemon_alive", lambda _: True)
    original = launch.start

    def start(*args: Any, **options: Any) -> None:
        original(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "start", start)
    assert not run_and_follow(project, run_id, lambda event: None).succeeded
    plant.dequeue()
    plant.never_runs(run_id)


def test_what_dagster_starts_in_place_of_a_stopped_run_never_starts(plant: Plant) -> None:
    lost = plant.queued()
    run = plant.instance.get_run_by_id(lost)
    assert run is not None
    plant.instance.report_run_canceling(run)
    plant.instance.report_run_failed(run, "its process is gone")
    again = launch.create_run(
        plant.instance,
        launch.load(plant.settings),
        "work",
        {},
        {"dagster/parent_run_id": lost, "dagster/retry_number": "1"},
    )
    plant.instance.add_run_tags(lost, {"dagster/auto_retry_run_id": again})
    launch.start(plant.instance, again, queued=True)
    plant.dequeue()
    plant.never_runs(again)


def test_a_run_that_nobody_stopped_runs(plant: Plant) -> None:
    run_id = plant.queued()
    plant.dequeue()
    wait_for(lambda: plant.there("began"), 90, "the body")
    (plant.folder.root / "go").touch()
    assert plant.instance.run_launcher._workers[0].wait(90) == 0  # type: ignore[attr-defined]
    assert plant.status(run_id) == "SUCCESS"
    assert os.environ.get("MYSTOCKS_ONLY_JOB") is None


@pytest.mark.parametrize("name", ["failing", "in_turn", "side_by_side"])
def test_i_cannot_stop_a_task_that_waits_for_its_retry(plant: Plant, name: str) -> None:
    run_id = plant.queued(name)
    plant.dequeue()
    waits = dg.DagsterEventType.STEP_UP_FOR_RETRY
    wait_for(lambda: plant.instance.get_records_for_run(run_id, of_type=waits).records, 90, "the first attempt")
    run = plant.instance.get_run_by_id(run_id)
    assert run is not None
    asked = time.monotonic()
    assert stopping.stop(plant.instance, run, {}).status == "canceled"
    assert time.monotonic() - asked < 30  # of the 200 s until its next attempt
    launcher: Any = plant.instance.run_launcher
    for process in launcher._workers:
        process.wait(30)
    assert plant.status(run_id) == "CANCELED"


@pytest.mark.parametrize("name", ["in_turn", "side_by_side"])
def test_a_group_that_waits_for_a_retry_leaves_the_processor_to_others(plant: Plant, name: str) -> None:
    run_id = plant.queued(name)
    plant.dequeue()
    waits = dg.DagsterEventType.STEP_UP_FOR_RETRY
    wait_for(lambda: plant.instance.get_records_for_run(run_id, of_type=waits).records, 90, "the first attempt")
    launcher: Any = plant.instance.run_launcher
    worker = psutil.Process(launcher._workers[0].pid)

    def used() -> float:
        times = worker.cpu_times()
        return times.user + times.system

    before = used()
    time.sleep(4)
    assert used() - before < 1
    run = plant.instance.get_run_by_id(run_id)
    assert run is not None
    assert stopping.stop(plant.instance, run, {}).status == "canceled"


def test_a_stop_whose_end_took_too_long_is_in_the_audit_log_too(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_PATIENCE_SECONDS", 0)
    run_id = plant.queued()
    project = Project(plant.settings)
    with pytest.raises(InstanceError, match="has not stopped"):
        project.runs.stop("work")
    entry = project.audit(limit=1)[0]
    assert (entry.action, entry.target, entry.detail) == ("stop", "work", run_id)
