"""`mystocks stop`: what runs has ended when it returns, and what does not run is told so."""

import time
from pathlib import Path

import pytest
from support.commands import Commands
from support.load import in_time
from support.processes import is_running
from support.project import wait_for

from mystocks_dagster.project.project import Project
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

TASKS = """
    task_packages: [sleepers]
    defaults: {task_module: sleepers, task_function: sleep_on, task_type: manual}
    tasks:
      - {task_id: slow}
      - {task_id: other}
      - {task_id: first, task_function: nothing}
    task_groups:
      - {group_id: both, tasks: [first, slow]}
"""
SLEEPERS = """
    import os
    import time
    from pathlib import Path

    def sleep_on(params):
        Path(__file__).with_name("pid").write_text(str(os.getpid()))
        time.sleep(600)

    def nothing(params):
        return None
"""


@pytest.fixture
def project(cli: Commands) -> Project:
    cli.folder.write("tasks.yaml", TASKS)
    cli.folder.write("sleepers.py", SLEEPERS)
    cli.monkeypatch.setenv("PYTHONPATH", str(cli.folder.root))
    return Project(Settings.from_env())


def start(project: Project, name: str) -> tuple[str, int]:
    """Start a run in a process of its own; return its id and its task's process, once that sleeps."""
    run_id = project.runs.create(name, {})
    launch.start(project.instance, run_id, queued=False)
    note = Path("pid")
    wait_for(lambda: note.exists() and note.read_text(), 60, f"the start of {name}")
    return run_id, int(note.read_text())


@pytest.mark.parametrize("how", ["task", "run", "execution"])
def test_a_running_task_is_stopped_with_its_process(cli: Commands, project: Project, how: str) -> None:
    run_id, pid = start(project, "slow")
    name = {"task": "slow", "run": run_id[:8], "execution": f"{run_id}:slow"}[how]
    began = time.monotonic()
    stopped = cli.json("stop", name)
    assert in_time(time.monotonic() - began, 20)
    assert stopped == [{"run_id": run_id, "job": "slow", "status": "canceled", "executions": [f"{run_id}:slow"]}]
    assert not is_running(pid)
    assert cli.json("history", "slow")[0]["status"] == "cancelled"
    assert "is not running" in cli("stop", run_id if how == "run" else name, code=1)


def test_a_task_that_runs_in_a_group_is_stopped_with_it(cli: Commands, project: Project) -> None:
    run_id, pid = start(project, "both")
    told = cli("stop", f"{run_id}:first", code=1)
    assert "it has ended with success" in told
    assert "is not running" in cli("stop", "other", code=1)
    cli.folder.write("tasks.yaml", "tasks: [\n")
    assert f"run {run_id} of both: canceled" in cli("stop", "slow")
    assert not is_running(pid)


def test_what_waits_is_taken_off_the_queue(cli: Commands, project: Project) -> None:
    run_id = project.runs.create("slow", {})
    launch.start(project.instance, run_id, queued=True)
    assert cli.json("history", "slow")[0]["status"] == "pending"
    assert cli.json("stop", "slow")[0]["status"] == "canceled"
    assert cli.json("history", "slow")[0]["status"] == "cancelled"


def test_what_is_not_there_is_told_so(cli: Commands, project: Project) -> None:
    assert "slow is not running" in cli("stop", "slow", code=1)
    assert "Did you mean slow" in cli("stop", "slwo", code=1)
    assert "no run or execution" in cli("stop", "0f0f0f0f", code=1)
    cli("stop", code=2)
