"""A run's process is forked from one that has imported Dagster, and neither runs twice nor ends with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.daemon import instance_of
from support.project import Folder, wait_for

from mystocks_dagster.dagster_internals import ExecuteRunArgs
from mystocks_dagster.factory import fork_server
from mystocks_dagster.factory.fork_server import ForkServer
from mystocks_dagster.runs import launch
from mystocks_dagster.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="used on Linux only")]

TASKS = """
    task_packages: [work]
    defaults: {task_type: manual, task_module: work}
    tasks:
      - {task_id: note, task_function: note}
      - {task_id: wait, task_function: wait}
"""
WORK = """
    import os
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def note(params):
        (HERE / "noted").write_text(os.environ.get("OF_THE_DAY", ""))

    def wait(params):
        (HERE / "began").touch()
        while not (HERE / "go").exists():
            time.sleep(0.05)
"""


@pytest.fixture
def project(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    folder.write("tasks.yaml", TASKS)
    folder.write("work.py", WORK)
    folder.write("loaded_before.py", "VALUE = 1\n")
    monkeypatch.chdir(folder.root)
    for name, value in {**folder.environment, "MYSTOCKS_ROOT": str(folder.root)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    yield folder
    folder.write("go", "")


@pytest.fixture
def server(project: Folder) -> Iterator[ForkServer]:
    server = ForkServer(["loaded_before"])
    wait_for(lambda: server.ready() or not server.alive(), 120, "the imports of the fork server")
    assert server.ready()
    yield server
    server.close()


def new_run(folder: Folder, task: str) -> tuple[str, str, Path]:
    """Create a run; return its id, the argument of its process, and its folder."""
    with instance_of(folder) as instance:
        run_id = launch.create_run(instance, launch.load(Settings.from_env(), task), task, {}, {})
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.job_code_origin is not None
        arguments = ExecuteRunArgs(job_origin=run.job_code_origin, run_id=run_id, instance_ref=instance.get_ref())
        home = Path(instance.storage_directory()) / run_id
    home.mkdir(parents=True)
    return run_id, arguments.get_command_args()[-1], home


def status(folder: Folder, run_id: str) -> str:
    with instance_of(folder) as instance:
        run = instance.get_run_by_id(run_id)
        assert run
        return run.status.value


def test_a_forked_run_succeeds_in_its_own_process_with_the_environment_of_its_launch(
    project: Folder, server: ForkServer
) -> None:
    run_id, argument, home = new_run(project, "note")
    worker = server.fork(argument, home, {**os.environ, "OF_THE_DAY": "wind"})
    assert worker
    assert worker.pid != server.pid
    wait_for(lambda: not worker.alive(), 60, "the end of the run's process")
    assert status(project, run_id) == "SUCCESS", (home / "worker.log").read_text(encoding="utf-8")
    assert (project.root / "noted").read_text(encoding="utf-8") == "wind"
    assert "RUN_SUCCESS" in (home / "worker.log").read_text(encoding="utf-8")


def test_a_run_goes_on_when_the_daemon_and_its_fork_server_are_killed(project: Folder, server: ForkServer) -> None:
    run_id, argument, home = new_run(project, "wait")
    worker = server.fork(argument, home, os.environ)
    assert worker
    wait_for((project.root / "began").exists, 60, "the start of the task")
    assert os.getsid(worker.pid) == worker.pid  # nothing meant for the daemon's group reaches it
    os.kill(server.pid, signal.SIGKILL)
    server.close()
    assert worker.alive()
    # The daemon that comes next finds it there.
    assert fork_server.forked(home) == worker
    (project.root / "go").touch()
    wait_for(lambda: not worker.alive(), 60, "the end of the run's process")
    assert status(project, run_id) == "SUCCESS"


def test_after_an_upgrade_no_run_is_forked_from_the_old_code(project: Folder, server: ForkServer) -> None:
    project.write("loaded_before.py", "VALUE = 2\n")
    _, argument, home = new_run(project, "note")
    assert server.fork(argument, home, os.environ) is None
    assert not server.alive()
    assert not (project.root / "noted").exists()


def test_a_server_that_does_not_answer_starts_no_process_later(
    project: Folder, server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "_FORK_SECONDS", 0.2)
    os.kill(server.pid, signal.SIGSTOP)
    _, argument, home = new_run(project, "note")
    assert server.fork(argument, home, os.environ) is None
    assert not server.alive()
    assert fork_server.forked(home) is None


HOLDER = """
import sys, time
from mystocks_dagster.factory.fork_server import ForkServer
server = ForkServer()
print(server.pid, flush=True)
time.sleep(600)
"""


def test_the_fork_server_ends_when_the_daemon_is_killed(project: Folder) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        server = psutil.Process(int(holder.stdout.readline()))
        holder.kill()
    wait_for(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, 120, "its end")


def test_a_command_that_runs_a_task_without_a_daemon_forks_its_process_and_leaves_none(project: Folder) -> None:
    project.env |= {"OF_THE_DAY": "rain"}
    project.mystocks("run", "note")
    assert (project.root / "noted").read_text(encoding="utf-8") == "rain"
    (identity,) = (project.root / ".dagster" / "storage").glob(f"*/{fork_server.IDENTITY_FILE}")
    assert not psutil.pid_exists(json.loads(identity.read_text(encoding="ascii"))["pid"])
    here = [one for one in psutil.process_iter() if one.pid != os.getpid() and _works_in(one, project.root)]
    assert not here


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder)
    except psutil.Error:
        return False


def test_without_a_fork_server_the_file_of_another_run_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    assert fork_server.forked(tmp_path) is None
    (tmp_path / fork_server.IDENTITY_FILE).write_text("{", encoding="ascii")
    assert fork_server.forked(tmp_path) is None
    (tmp_path / fork_server.IDENTITY_FILE).write_text(
        json.dumps({"pid": 1, "start_time": time.time(), "boot_id": "another"}), encoding="ascii"
    )
    found = fork_server.forked(tmp_path)
    assert found is not None
    assert not found.alive()
