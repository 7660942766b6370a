"""Lost runs that Dagster's daemon passes by: each is started again once, or told once."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from support.postgres import use_postgres
from support.project import Folder, make_folder

from mystocks_dagster.factory import restarting
from mystocks_dagster.factory.restarting import RestartDaemon
from mystocks_dagster.instance import open_instance
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [plain]
    defaults: {task_type: manual, task_module: plain, task_function: work}
    tasks:
      - {task_id: again, auto_restart: true}
      - {task_id: never}
"""
PLAIN = """
    def work(params):
        pass
"""


@dataclass
class Plant:
    """A project with the workspace that Dagster's daemon has; each daemon that it makes begins as after a restart."""

    instance: dg.DagsterInstance
    workspace: Any
    settings: Settings
    repository: launch.Repository
    daemon: EventLogConsumerDaemon = field(default_factory=RestartDaemon)

    def look(self) -> None:
        list(self.daemon.run_iteration(self.workspace))

    def run(self, job: str = "again") -> dg.DagsterRun:
        run = self.instance.get_run_by_id(launch.create_run(self.instance, self.repository, job, {}, {}))
        assert run is not None
        return run

    def lose(self, monkeypatch: pytest.MonkeyPatch, job: str = "again") -> str:
        """Lose a run, and let the daemon look between the event of the failure and the run's status."""
        run = self.run(job)
        original, storage = self.instance.run_storage.handle_run_event, self.instance.run_storage

        def handle(*args: Any, **options: Any) -> None:
            monkeypatch.setattr(storage, "handle_run_event", original)
            self.look()
            original(*args, **options)

        monkeypatch.setattr(storage, "handle_run_event", handle)
        self.instance.report_run_failed(run, "its process is gone")
        return run.run_id

    def children(self, run_id: str) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(tags={"dagster/parent_run_id": run_id})))

    def will_retry(self, run_id: str) -> str | None:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.tags.get("dagster/will_retry")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def plant(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Plant]:
    with pytest.MonkeyPatch.context() as monkeypatch, ExitStack() as stack:
        for name in [name for name in os.environ if name.startswith(("MYSTOCKS_", "DAGSTER_"))]:
            monkeypatch.delenv(name)
        folder: Folder = make_folder(tmp_path_factory.mktemp("restarting") / "project")
        folder.write("tasks.yaml", TASKS)
        folder.write("plain.py", PLAIN)
        monkeypatch.chdir(folder.root)
        monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
        monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
        monkeypatch.setenv("PYTHONPATH", folder.environment["PYTHONPATH"])
        if request.param == "postgres":
            use_postgres(folder, request.getfixturevalue("postgres"), monkeypatch)
        settings = Settings.from_env()
        instance = stack.enter_context(open_instance(settings))
        target = WorkspaceFileTarget([str(folder.root / "workspace.yaml")])
        workspace = stack.enter_context(WorkspaceProcessContext(instance, target))
        plant = Plant(instance, workspace, settings, launch.load(settings))
        plant.look()
        yield plant


@pytest.fixture(autouse=True)
def _new_daemon(plant: Plant) -> None:
    plant.daemon = RestartDaemon()


def test_the_first_daemon_of_a_project_warns_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        list(RestartDaemon().run_iteration(SimpleNamespace(instance=instance)))
        assert caplog.text == ""
        # Dagster's own begins in the same place, and says so.
        with dg.DagsterInstance.ephemeral() as other:
            list(EventLogConsumerDaemon().run_iteration(SimpleNamespace(instance=other)))
            assert "No cursor for event type" in caplog.text
            keys = {f"EVENT_LOG_CONSUMER_CURSOR-{kind}" for kind in ("PIPELINE_FAILURE", "PIPELINE_SUCCESS")}
            cursors = [each.daemon_cursor_storage.get_cursor_values(keys) for each in (instance, other)]
            assert cursors[0] == cursors[1] == dict.fromkeys(keys, "0")


def test_a_lost_run_that_dagster_passed_by_is_started_again_once(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = plant.lose(monkeypatch)
    assert (plant.will_retry(lost), plant.children(lost)) == ("true", [])
    plant.look()
    assert [child.status for child in plant.children(lost)] == [dg.DagsterRunStatus.QUEUED]
    plant.daemon = RestartDaemon()
    plant.look()
    assert len(plant.children(lost)) == 1


def test_dagster_alone_never_starts_it_again(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, Dagster has mended it, and `RestartDaemon` can go."""
    plant.daemon = EventLogConsumerDaemon()
    lost = plant.lose(monkeypatch)
    plant.look()
    plant.look()
    assert (plant.will_retry(lost), plant.children(lost)) == ("true", [])
    plant.daemon = RestartDaemon()
    plant.look()
    assert len(plant.children(lost)) == 1


def test_a_lost_run_that_dagster_saw_in_time_is_started_again_once(plant: Plant) -> None:
    run = plant.run()
    plant.instance.report_run_failed(run, "its process is gone")
    plant.look()
    plant.look()
    assert len(plant.children(run.run_id)) == 1


def test_a_failure_whose_reporter_was_killed_before_it_said_whether_to_restart(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarting, "_UNDECIDED", restarting.timedelta())

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as inner:
        inner.setattr(plant.instance, "add_run_tags", kill)
        with pytest.raises(Killed):
            plant.lose(inner)
    lost = plant.instance.get_runs(dg.RunsFilter(job_name="again", statuses=[dg.DagsterRunStatus.FAILURE]), limit=1)[
        0
    ].run_id
    assert plant.will_retry(lost) is None
    plant.look()
    assert len(plant.children(lost)) == 1


def test_a_lost_run_is_started_again_though_the_code_could_not_be_loaded_at_first(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plant.run()
    plant.instance.report_run_failed(run, "its process is gone")

    def loading(*_: Any) -> None:
        raise RuntimeError("the code location is loading")

    with monkeypatch.context() as inner:
        inner.setattr(plant.workspace, "create_request_context", loading)
        plant.look()
        plant.look()
    assert plant.children(run.run_id) == []
    assert plant.will_retry(run.run_id) == "true", "alerts wait for it"
    plant.look()
    plant.look()
    assert len(plant.children(run.run_id)) == 1


def test_what_is_not_to_be_started_again_is_not(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = plant.lose(monkeypatch, "never")
    plant.look()
    assert (plant.will_retry(lost), plant.children(lost)) == ("false", [])


def test_a_run_that_was_stopped_before_it_was_lost_is_not_started_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = plant.lose(monkeypatch)
    run = plant.instance.get_run_by_id(lost)
    assert run is not None
    plant.instance.report_run_canceling(run)
    plant.instance.report_run_failed(run, "its process is gone")
    plant.look()
    assert [child.status.value for child in plant.children(lost)] in ([], ["CANCELED"])


def test_a_run_that_cannot_be_started_again_is_given_up_after_some_tries(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = plant.lose(monkeypatch)
    tries: list[str] = []

    def fail(run: dg.DagsterRun, _: Any) -> None:
        tries.append(run.run_id)
        raise RuntimeError("the code location is loading")

    monkeypatch.setattr(restarting, "retry_run", fail)
    for _ in range(restarting._MAX_TRIES + 3):
        plant.look()
    assert tries == [lost] * restarting._MAX_TRIES
    # Alerts wait for the restart as long as this is true.
    assert (plant.will_retry(lost), plant.children(lost)) == ("false", [])


def test_a_lost_run_is_given_up_when_the_machine_was_off_for_days_before_it_could_be_started_again(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    restarted = plant.lose(monkeypatch)
    plant.look()
    lost, right = plant.lose(monkeypatch), time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3 * 86400)
    plant.daemon = RestartDaemon()
    plant.look()
    assert (plant.will_retry(lost), plant.children(lost)) == ("false", [])
    assert (plant.will_retry(restarted), len(plant.children(restarted))) == ("true", 1)
    told = [entry.message for entry in plant.instance.all_logs(lost, of_type=dg.DagsterEventType.ENGINE_EVENT)]
    assert "The run was lost more than a day ago, so it is not restarted." in told


def test_a_restart_that_was_cleaned_up_is_not_made_again(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = plant.lose(monkeypatch)
    plant.look()
    plant.instance.delete_run(plant.children(lost)[0].run_id)
    plant.look()
    assert plant.children(lost) == []
