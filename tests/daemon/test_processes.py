"""`mystocks ui` and its servers, each killed on a live project: it comes back, and there is never a second daemon."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from support.daemon import worker
from support.processes import stop_and_kill
from support.project import Folder, Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [quick]
    defaults: {task_module: quick}
    tasks:
      - {task_id: work, task_type: manual, task_function: work}
      - {task_id: slow, task_type: manual, task_function: slow}
      - {task_id: beat, task_type: cron, task_function: work, schedule: {schedule_type: interval, interval_seconds: 10}}
"""
QUICK = """
    import time

    def work(params):
        return {"rows": 1}

    def slow(params):
        time.sleep(600)
"""
#: How the command lines of the servers are known: the titles of forks, and those with interpreters of their own.
ROLES = {
    "daemon": ("mystocks: daemon", "dagster._daemon"),
    "web server": ("mystocks: web server", "mystocks_dagster.web"),
    "code server": ("mystocks: code server", "code_server:"),
    "code process": ("mystocks: code process", "api grpc"),
}
RUNS = """query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results {
           runId status tags { key value } } } } }"""


class Live:
    """The project and its `mystocks ui`, which can be killed and started again."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.stack = folder, ExitStack()

    def up(self) -> None:
        (self.folder.root / ".dagster" / "ui.json").unlink(missing_ok=True)
        self.server: Server = self.stack.enter_context(serve(self.folder))

    def servers(self) -> list[psutil.Process]:
        """Return the living servers under the present `mystocks ui`."""
        below = psutil.Process(self.server.process.pid).children(recursive=True)
        return [one for one in below if any(plays(one, role) for role in ROLES)]

    def process(self, role: str) -> psutil.Process | None:
        """Return the living process of that role under the present `mystocks ui`."""
        return next((one for one in self.servers() if plays(one, role)), None)

    def daemons(self) -> list[int]:
        """Return every daemon of this project, whoever started it."""
        return [one.pid for one in psutil.process_iter() if plays(one, "daemon") and str(self.folder.root) in text(one)]

    def works(self) -> None:
        """Launch a run over the web UI and see it succeed: web server, code server and daemon are needed for that."""

        def launched() -> str | None:
            try:
                return self.server.launch("work")
            except (OSError, AssertionError):  # it is on its way back
                return None

        assert self.server.wait(wait_for(launched, 90, "a run that can be launched")) == "SUCCESS"

    def log(self) -> str:
        return (self.folder.root / "ui.log").read_text(encoding="utf-8")


def text(process: psutil.Process) -> str:
    """Return command line and folder; empty when it has ended, also when another process has its number now."""
    try:
        ended = not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        return "" if ended else f"{' '.join(process.cmdline())} in {process.cwd()}"
    except psutil.Error:
        return ""


def plays(process: psutil.Process, role: str) -> bool:
    return any(line in text(process) for line in ROLES[role])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = make_folder(tmp_path_factory.mktemp("processes") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    live = Live(folder)
    live.up()
    yield live
    live.stack.close()
    stop_and_kill(process for process in psutil.process_iter() if str(folder.root) in text(process))


@pytest.fixture(scope="module")
def slow(live: Live) -> tuple[str, psutil.Process]:
    """A run that is under way while everything is killed, and its worker."""
    run_id = live.server.launch("slow")
    wait_for(lambda: live.server.status(run_id) == "STARTED", 60, "the start of the slow task")
    return run_id, worker(live.folder, run_id)


def test_a_second_daemon_is_refused_with_the_number_of_the_first_however_it_is_started(live: Live) -> None:
    first = live.process("daemon")
    assert first
    env = live.folder.environment | {"DAGSTER_HOME": str(live.folder.root / ".dagster")}
    refusal = f"A daemon runs already on this instance: process {first.pid}"
    with (live.folder.root / "second.log").open("w+", encoding="utf-8") as log:
        for command in (["dagster._daemon", "run"], ["dagster", "dev", "-p", "0"]):
            log.truncate(0)
            second = subprocess.Popen(
                [sys.executable, "-m", *command, "-w", "workspace.yaml"],
                cwd=live.folder.root,
                env=env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                wait_for(
                    lambda: refusal in (live.folder.root / "second.log").read_text(encoding="utf-8"), 90, "the refusal"
                )
                assert command[0] == "dagster" or second.wait(20) == 1
            finally:
                # `dagster dev` waits a minute for its web server before it ends too.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(second.pid, signal.SIGKILL)
                second.wait()
            assert (
                "Traceback" not in (live.folder.root / "second.log").read_text(encoding="utf-8").partition(refusal)[0]
            )
    assert live.daemons() == [first.pid]


@pytest.mark.skipif(sys.platform != "linux", reason="used on Linux only")
def test_the_servers_are_forks_that_ps_shows_by_their_names_also_after_a_reload_of_the_code(live: Live) -> None:
    def names() -> list[str]:
        listed = ["ps", "-o", "args=", "-p", ",".join(str(one.pid) for one in live.servers())]
        return sorted(line.strip() for line in subprocess.check_output(listed, text=True).splitlines())

    expected = ["code process", "code server mystocks", "daemon", "web server"]
    assert names() == [f"mystocks: {name}" for name in expected]
    before = live.process("code process")
    live.server.graphql('mutation { reloadRepositoryLocation(repositoryLocationName: "mystocks") { __typename } }')
    wanted = [f"mystocks: {name}" for name in expected]
    wait_for(lambda: live.process("code process") != before and names() == wanted, 60, "the end of the former process")
    live.works()


@pytest.mark.parametrize("role", ["daemon", "web server", "code server", "code process"])
@pytest.mark.usefixtures("slow")
def test_a_killed_server_comes_back_and_starts_runs(live: Live, role: str) -> None:
    before = live.process(role)
    assert before
    before.kill()
    wait_for(lambda: (after := live.process(role)) and after.pid != before.pid, 60, f"another {role}")
    live.works()
    assert "Restarting it in" in live.log()
    assert len(live.daemons()) == 1


@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform != "linux", reason="used on Linux only")
def test_runs_are_forked_and_start_all_the_same_when_the_fork_server_was_killed(live: Live) -> None:
    def fork_server() -> psutil.Process | None:
        daemon = live.process("daemon")
        below = daemon.children() if daemon else []
        return next(
            (one for one in below if "fork server of the daemon" in text(one) or "factory.forking" in text(one)), None
        )

    def forked() -> bool:
        live.works()
        return any(home.stat().st_mtime > since for home in homes.glob("*/worker.json"))

    homes, since = live.folder.root / ".dagster" / "storage", time.time()
    wait_for(forked, 120, "a run that is forked")
    server = wait_for(fork_server, 60, "the fork server")
    server.kill()
    live.works()


def test_a_run_goes_on_when_the_daemon_that_started_it_is_killed(live: Live, slow: tuple[str, psutil.Process]) -> None:
    run_id, worker = slow
    assert text(worker)
    assert live.server.status(run_id) == "STARTED"


def test_when_the_ui_is_killed_its_servers_end_and_the_next_has_one_daemon(
    live: Live, slow: tuple[str, psutil.Process]
) -> None:
    parent = psutil.Process(live.server.process.pid)
    run_id, worker = slow
    servers = live.servers()
    assert len(servers) == 4
    parent.kill()
    # At once, as a service manager does.
    live.up()
    wait_for(lambda: not any(text(one) for one in servers), 60, "the end of the killed one's servers")
    assert live.daemons() == [one.pid for one in [live.process("daemon")] if one]
    live.works()
    assert text(worker), "a run that was under way goes on"
    assert live.server.status(run_id) == "STARTED"
    live.server.graphql("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
    assert live.server.wait(run_id) == "CANCELED", "and the new daemon knows it"


def test_each_start_of_an_interval_ran_once_over_all_those_kills(live: Live) -> None:
    def due() -> list[str]:
        runs = live.server.graphql(RUNS, job="beat")["runsOrError"]["results"]
        tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in runs]
        return [one["dagster/mystocks_scheduled_at"] for one in tags]

    known = len(due())
    found = wait_for(lambda: len(now := due()) > known + 1 and now, 90, "two more starts")
    assert [moment for moment, times in Counter(found).items() if times > 1] == []


def test_of_two_started_at_once_one_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "ui", "--port", "0"]
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    both = []
    below = folder.root / "some" / "folder"
    below.mkdir(parents=True)
    try:
        for log in logs:
            with log.open("wb") as output:
                both.append(subprocess.Popen(command, cwd=below, env=folder.environment, stdout=output, stderr=output))
        refused = wait_for(lambda: [one for one in both if one.poll() is not None], 90, "the end of one of them")
        lost = both.index(refused[0])
        other = both[1 - lost]
        assert refused[0].returncode == 1
        told = " ".join(logs[lost].read_text(encoding="utf-8").split())
        assert f"process {other.pid}" in told

        def folders() -> list[str]:
            try:
                return [one.cwd() for one in psutil.Process(other.pid).children()]
            except psutil.NoSuchProcess:  # a fork that had little to do
                return []

        wait_for(lambda: folders() == [str(folder.root)] * 3, 60, "servers in the project's folder, wherever it began")
        address = re.compile(r"MyStocks is at http://127\.0\.0\.1:[1-9]\d*")
        wait_for(lambda: address.search(logs[1 - lost].read_text(encoding="utf-8")), 60, "the address with its port")
        assert other.poll() is None
    finally:
        for process in both:
            process.terminate()
        for process in both:
            process.wait(120)  # it gives its servers three times ten seconds, and then those with the code
    wait_for(
        lambda: not any(str(folder.root) in text(one) for one in psutil.process_iter()), 10, "the end of all of both"
    )
