"""Servers that end with their parent, are waited for as long as they live, and are started again."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from support.processes import is_running, running
from support.project import Folder, wait_for

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.instance import prepare_home
from mystocks_dagster.processes import commands, supervisor
from mystocks_dagster.processes.commands import Command
from mystocks_dagster.processes.supervisor import Supervisor
from mystocks_dagster.project import reload, servers
from mystocks_dagster.settings import Settings

pytestmark = pytest.mark.slow

#: A server that says which process it is, starts another one, and then does what it is told.
SERVER = """
    import os, subprocess, sys, time
    from pathlib import Path

    def run():
        log, what = Path(sys.argv[1]), sys.argv[2]
        other = subprocess.Popen(["sleep", "60"])
        with log.open("a") as file:
            file.write(f"{os.getpid()} {other.pid}" + chr(10))
        if what == "ends":
            sys.exit(3)
        time.sleep(60)
"""
PARENT = """
    import sys, time
    from pathlib import Path
    from mystocks_dagster.processes.commands import Command
    from mystocks_dagster.processes.supervisor import Supervisor
    log, forks = sys.argv[1], sys.argv[2] == "forks"
    both = [
        Command(name=name, waits_for="it", entry="example_server:run", arguments=(log, "lives"), ready=lambda pid: True)
        for name in ("first", "second")
    ]
    held = Supervisor(both, Path.cwd(), print, forks=forks)
    held.start()
    held.wait_until_ready()
    held.run()
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "example_server.py").write_text(textwrap.dedent(SERVER), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pids"


def command(log: Path, what: str = "lives", ready: Callable[[int], bool] | None = None) -> Command:
    return Command(
        name="server",
        waits_for="the server",
        entry="example_server:run",
        arguments=(str(log), what),
        ready=ready or (lambda _pid: log.exists()),
    )


def pids(log: Path) -> list[list[int]]:
    return (
        [[int(pid) for pid in line.split()] for line in log.read_text(encoding="utf-8").splitlines()]
        if log.exists()
        else []
    )


@contextmanager
def supervised(*all_of_them: Command) -> Iterator[tuple[Supervisor, list[str]]]:
    said: list[str] = []
    held = Supervisor(all_of_them, Path.cwd(), said.append)
    held.start()
    try:
        yield held, said
    finally:
        held.stop()


@contextmanager
def parent(log: Path, how: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a supervisor of two servers, which has started both."""
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT), str(log), how])
    try:
        wait_for(lambda: len(pids(log)) == 2, 30, "both servers")
        yield parent
    finally:
        parent.kill()
        parent.wait()


@pytest.mark.parametrize("how", ["interpreters", pytest.param("forks", marks=linux)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_servers_and_what_they_started_end_with_their_parent_however_that_ends(
    log: Path, number: signal.Signals, how: str
) -> None:
    with parent(log, how) as supervisor:
        all_of_them = [pid for line in pids(log) for pid in line]
        assert len(running(all_of_them)) == 4
        supervisor.send_signal(number)
        supervisor.wait()
        wait_for(lambda: not running(all_of_them), 60, "the end of all")


@linux
def test_a_fork_that_was_killed_comes_back_in_an_interpreter_of_its_own(log: Path) -> None:
    with parent(log, "forks") as supervisor:
        first = [psutil.Process(server) for server, _ in pids(log)]
        assert sorted(one.cmdline()[0] for one in first) == ["mystocks: first", "mystocks: second"]
        assert all(one.ppid() == supervisor.pid for one in first)
        first[0].kill()
        again = wait_for(lambda: len(found := pids(log)) == 3 and found, 30, "its restart")[2][0]
        assert "child.py" in " ".join(psutil.Process(again).cmdline())
        assert first[1].is_running()
    wait_for(lambda: not running(pid for line in pids(log) for pid in line), 60, "the end of all")


def test_stop_leaves_nothing_behind(log: Path) -> None:
    with supervised(command(log)) as (held, _):
        held.wait_until_ready()
    assert not any(is_running(pid) for pid in pids(log)[0])


@pytest.mark.parametrize("when", ["Python starts", "it imports", "it waits", "it begins"])
def test_one_that_is_stopped_while_it_starts_says_nothing(
    log: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], when: str
) -> None:
    here = tmp_path / "here"
    come = f"from pathlib import Path; Path({str(here)!r}).touch()"
    stay = f"{come}; import time; time.sleep(60)"
    module, work = {"it imports": (stay, "pass"), "it begins": ("pass", stay)}.get(when, (come, "pass"))
    (tmp_path / "slow_server.py").write_text(f"{module}\ndef run():\n    {work}\n", encoding="utf-8")
    one = supervisor.Child(
        Command(name="it", waits_for="it", entry="slow_server:run", arguments=(), ready=bool), tmp_path
    )
    one.start()
    if when == "it begins":
        one.begin()
    if when != "Python starts":
        wait_for(here.exists, 30, "its start")
    one.signal(signal.SIGINT)
    wait_for(lambda: one.exit_code() is not None, 30, "its end")
    one.close()
    assert "".join(capfd.readouterr()) == ""


FORKED = """
    import time
    from pathlib import Path
    from mystocks_dagster.gc_tuning import tune_gc
    from mystocks_dagster.processes.commands import Command
    from mystocks_dagster.processes.supervisor import Child
    tune_gc()
    one = Child(Command(name="it", waits_for="it", entry="one_server:run", arguments=(), ready=bool), Path.cwd())
    one.start(forked=True)
    one.begin()
    while one.exit_code() is None:
        time.sleep(0.05)
"""


@linux
def test_a_server_collects_its_garbage_more_often_than_the_command_that_starts_it(log: Path, tmp_path: Path) -> None:
    (tmp_path / "one_server.py").write_text("import gc\ndef run():\n    print(gc.get_threshold(), flush=True)\n")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORKED)], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(5000, 10, 10)\n", "", 0)


INTERRUPTED = """
    import signal, sys, time
    from pathlib import Path
    from mystocks_dagster.processes.commands import Command
    from mystocks_dagster.processes.supervisor import Child
    one = Child(Command(name="it", waits_for="it", entry="slow_server:run", arguments=(), ready=bool), Path.cwd())
    one.start(forked=True)
    if sys.argv[1] == "it begins":
        one.begin()
    while sys.argv[1] != "at once" and not Path("here").exists():
        time.sleep(0.05)
    one.signal(signal.SIGINT)
    while one.exit_code() is None:
        time.sleep(0.05)
"""


@linux
@pytest.mark.parametrize("when", ["at once", "it imports", "it begins"])
def test_a_fork_that_is_stopped_while_it_starts_says_nothing(log: Path, tmp_path: Path, when: str) -> None:
    stay = "from pathlib import Path; Path('here').touch(); import time; time.sleep(60)"
    module, work = ("pass", stay) if when == "it begins" else (stay, "pass")
    (tmp_path / "slow_server.py").write_text(f"{module}\ndef run():\n    {work}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), when], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_code_server_that_is_stopped_while_it_loads_says_nothing_nor_do_its_processes(
    log: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loading = "import sys, time; print(1, file=open(sys.argv[1], 'w')); time.sleep(60)"
    code = f"import subprocess, sys\ndef run():\n    subprocess.run([sys.executable, '-c', {loading!r}, sys.argv[1]])\n"
    log.with_name("loading_server.py").write_text(code, encoding="utf-8")
    one = Command(
        name="it",
        waits_for="it",
        entry="loading_server:run",
        arguments=(str(log),),
        ready=lambda _pid: False,
        is_code_server=True,
    )
    held = Supervisor([one], Path.cwd(), print, stop_requested=log.exists)
    held.start()
    with pytest.raises(KeyboardInterrupt):
        held.wait_until_ready()
    held.stop()
    assert "".join(capfd.readouterr()) == ""


def test_it_waits_as_long_as_the_server_lives_and_says_for_what(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PROGRESS", 0.05)
    looks = iter(range(1000))
    with supervised(command(log, ready=lambda _pid: next(looks) > 8)) as (held, said):
        held.wait_until_ready()
    assert said[0].startswith("waiting for the server: ")


def test_a_signal_to_stop_whose_interrupt_was_lost_ends_it_all_the_same(log: Path) -> None:
    held = Supervisor([command(log)], Path.cwd(), print, stop_requested=lambda: True)
    with pytest.raises(KeyboardInterrupt):
        held.run()


def test_one_that_ends_while_it_starts_is_an_error_with_its_exit_code(log: Path) -> None:
    with (
        supervised(command(log, "ends", ready=lambda _pid: False)) as (held, _),
        pytest.raises(InstanceError, match="exit code 3"),
    ):
        held.wait_until_ready()
    assert not any(is_running(pid) for pid in pids(log)[0])


def test_one_that_ends_again_and_again_is_given_up_after_ever_longer_pauses(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    with supervised(command(log, "ends")) as (held, said):
        assert held.run() == "the server ended with exit code 3, 6 times in a row"
    again = [line for line in said if "Restarting it in" in line]
    assert len(again) == 5
    assert len(pids(log)) == 6
    wait_for(lambda: not running(pid for line in pids(log) for pid in line), 60, "the end of what each had started")


def test_a_high_port_on_which_nobody_listens_is_never_connected_to() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert not commands._listens(os.getpid(), port)
        server.listen()
        assert commands._listens(os.getpid(), port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::1", "http://[::1]:1"),
        ("::", "http://[::1]:1"),
    ],
)
def test_the_address_is_one_that_can_be_opened(host: str, expected: str) -> None:
    assert commands.address(host, 1) == expected


def test_sockets_are_where_nobody_else_can_reach_them_and_the_path_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("深" * 60)
    deep.mkdir()
    monkeypatch.setattr(commands.tempfile, "gettempdir", lambda: str(deep))
    folder = commands.socket_folder(deep / "我的 项目")
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(os.fsencode(commands._socket(folder, 10))) < 104
        (folder / "left").touch()
        assert commands.socket_folder(deep / "我的 项目") == folder
        assert list(folder.iterdir()) == []
        folder.chmod(0o755)
        other = commands.socket_folder(deep / "我的 项目")
        assert other != folder
        assert other.stat().st_mode & 0o777 == 0o700
        other.rmdir()
    finally:
        folder.rmdir()


@pytest.mark.parametrize("content", [None, "load_from: [oops", "load_from: 3", "[]"])
def test_a_workspace_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "workspace.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InstanceError, match=r"workspace\.yaml: cannot be used: \S+"):
        commands._origins(path)


def test_what_cannot_be_kept_running_ends_the_ui_with_an_exit_code(
    log: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("tasks.yaml", "tasks: []\n")
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(servers, "commands", lambda *_: [command(log, "ends", ready=lambda _pid: True)])
    settings, said = Settings.from_env(), []
    assert servers._serve(settings, prepare_home(settings), "127.0.0.1", 3000, said.append) == 1
    assert "Giving up: the server ended with exit code 3, 6 times in a row. See the lines above." in said
    assert not (folder.root / ".dagster" / "ui.json").exists()


class Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": {"it": "answers"}}')

    def log_message(self, *_: object) -> None:
        pass


def test_the_web_ui_of_this_machine_is_not_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert reload.ask(Settings.from_env(), f"http://127.0.0.1:{server.server_port}", "{ it }") == {"it": "answers"}
