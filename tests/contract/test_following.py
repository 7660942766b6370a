"""Who follows a run that has no process yet: it is left to a daemon that lives, and failed where nobody else would
notice."""

import threading
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat
from support.commands import commands_in
from support.project import Folder

from mystocks_dagster.project.project import Project
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings

#: Seconds of computing each: not among the quick tests.
pytestmark = pytest.mark.slow

TASKS = "task_packages: [quick]\ntasks: [{task_id: one, task_type: manual, task_module: quick, task_function: work}]\n"


@pytest.fixture
def instance(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[dg.DagsterInstance]:
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", "def work(params):\n    pass\n")
    monkeypatch.syspath_prepend(str(folder.root))
    commands_in(folder, monkeypatch, capsys)
    with Project(Settings.from_env()).instance as instance:
        yield instance


@pytest.fixture
def starting() -> str:
    """A run that has been taken off the queue, and whose process is not there yet."""
    project = Project(Settings.from_env())
    run_id = project.runs.create("one", {})
    event = dg.DagsterEvent(event_type_value="PIPELINE_STARTING", job_name="one")
    project.instance.report_dagster_event(event, run_id)
    return run_id


def status(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status.value


def test_a_run_that_the_daemon_is_launching_is_left_to_it(instance: dg.DagsterInstance, starting: str) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", "a daemon", []))
    follower = threading.Thread(target=lambda: list(launch.follow(instance, starting)), daemon=True)
    follower.start()
    follower.join(2)  # it has looked several times
    assert status(instance, starting) == "STARTING"
    instance.report_run_canceled(instance.get_run_by_id(starting))
    follower.join(30)
    assert not follower.is_alive()


def test_a_run_whose_daemon_was_killed_says_once_that_it_waits_in_the_queue(instance: dg.DagsterInstance) -> None:
    run_id = Project(Settings.from_env()).runs.create("one", {})
    launch.start(instance, run_id, queued=True)
    said: list[str] = []
    follower = threading.Thread(
        target=lambda: list(launch.follow(instance, run_id, lambda: said.append(run_id))), daemon=True
    )
    follower.start()
    follower.join(2)  # it has looked several times
    assert (said, status(instance, run_id)) == ([run_id], "QUEUED")
    instance.report_run_canceled(instance.get_run_by_id(run_id))
    follower.join(30)
    assert not follower.is_alive()


def test_with_no_daemon_alive_a_run_without_a_process_has_failed(instance: dg.DagsterInstance, starting: str) -> None:
    list(launch.follow(instance, starting))
    assert status(instance, starting) == "FAILURE"
