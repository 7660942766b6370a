"""The example in each command's help works as it is written, in a project with a real web UI and daemon."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from support.commands import Commands, commands_in
from support.project import ROOT, Folder, Server, make_folder, serve, wait_for
from support.receivers import webhook

from mystocks_dagster.cli.reference import commands

#: Commands that serve until they are stopped: to what they say when they are ready.
SERVES = {"ui": "MyStocks is at", "api": "http://127.0.0.1"}
#: Run by another file, just as its example says: it takes half a minute.
ELSEWHERE = {"demo": "test_demo.py"}
#: Needs Postgres and an object store: `test_two_machines.py` runs it, with the name of a machine.
ON_MACHINES = "worker"
#: In the end, because they change what the others use.
LAST = ("edit", "import", "add", "remove", "stop")
#: Ends with 1 by right: the hosts of akshare are out of reach of the tests, as is the UI's password-less peace of mind.
MAY_FAIL = {"doctor"}
#: Ends with 1 by right too: no service is installed.
NOT_INSTALLED = "service status"


def examples() -> list[tuple[str, str]]:
    """Return (command, example) of every command, the disturbing ones last."""
    found = []
    for words, command in commands():
        told = re.search(r"^Example: mystocks (.+)$", command.help or "", re.M)
        assert told, f"{words} has no example"
        found.append((words, told[1]))
    return sorted(found, key=lambda one: (one[0] in SERVES, LAST.index(one[0]) + 1 if one[0] in LAST else 0))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("examples") / "project")
    folder.env |= {
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "symbols=12,start=2026-02-02",
        "MYSTOCKS_NOW": "2026-06-01T18:00:00+08:00",
    }
    folder.write("slow.py", "import time\n\ndef sleep(params):\n    time.sleep(600)\n")
    folder.write("my_task.yaml", "task_id: mine\ntask_type: manual\ntask_module: slow\ntask_function: sleep\n")
    folder.write(
        "other_tasks.yaml",
        "task_packages: [slow]\ntasks:\n  - {task_id: theirs, task_type: manual, task_module: slow, task_function:"
        " sleep}\n",
    )
    with webhook() as hook:
        head = f"task_packages: [slow]\nalerts: {{urls: ['{hook.url}']}}\n"
        folder.write("tasks.yaml", head + (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
        with serve(folder) as server:
            folder.mystocks("run", "daily_data_sync", timeout=170)
            yield server


@pytest.fixture
def cli(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    for name, value in server.folder.env.items():
        monkeypatch.setenv(name, value)
    return commands_in(server.folder, monkeypatch, capsys)


def start_something_to_stop(cli: Commands) -> None:
    cli("edit", "daily_data_sync", "task_module=slow", "task_function=sleep", "params=null")
    cli("run", "daily_data_sync", "--detach")
    wait_for(
        lambda: cli.json("history", "daily_data_sync", "--limit", "1")[0]["status"] == "running",
        60,
        "the task to stop runs",
    )


def calculate_indicators(cli: Commands) -> None:
    cli("run", "calc_technical_indicators")


def run_a_backtest(cli: Commands) -> None:
    if not cli.json("backtest", "list"):
        calculate_indicators(cli)
        cli("run", "calc_strategy_signals")
        cli("run", "run_strategy_backtest")


BEFORE: dict[str, Callable[[Commands], None]] = {
    "stop": start_something_to_stop,
    "strategies check": calculate_indicators,
    "backtest compare": run_a_backtest,
    "backtest report": run_a_backtest,
}


def stopped_when_ready(folder: Folder, arguments: list[str], ready: str) -> str:
    """Run a command that serves, stop it with Ctrl-C when it says that it is ready, and return what it printed."""
    log = folder.root / "serves.log"
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", *arguments]
    environment = {**folder.environment, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder.root, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            wait_for(
                lambda: ready in log.read_text(encoding="utf-8") or process.poll() is not None,
                120,
                f"{arguments} to be ready",
            )
            assert process.poll() is None, log.read_text(encoding="utf-8")
        finally:
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(60) in (0, 130, -signal.SIGINT)
    return log.read_text(encoding="utf-8")


def test_the_others_are_run_as_their_examples_say() -> None:
    for command, example in examples():
        if command in ELSEWHERE:
            assert example == command
            assert f'mystocks("{command}", timeout' in (ROOT / "tests" / "daemon" / ELSEWHERE[command]).read_text(
                encoding="utf-8"
            )


@pytest.mark.parametrize(
    ("command", "example"), [one for one in examples() if one[0] not in (*SERVES, *ELSEWHERE, ON_MACHINES)]
)
def test_the_example_works_as_it_is_written(cli: Commands, command: str, example: str) -> None:
    BEFORE.get(command, lambda _: None)(cli)
    # A disk of the example is a folder beside the project, so that a second run of the tests finds it empty.
    arguments = [word.replace("/mnt/", f"{cli.folder.root.parent}/mnt/") for word in shlex.split(example)]
    assert " ".join(arguments).startswith(command)
    if command in MAY_FAIL:
        assert all(one["name"] in ("akshare", "baostock") for one in cli.json(*arguments) if not one["ok"])
        return
    if command == NOT_INSTALLED:
        assert json.loads(cli(*arguments, code=1))["installed"] is False
        return
    assert cli(*arguments).strip()


@pytest.mark.parametrize(("command", "example"), [one for one in examples() if one[0] in SERVES])
def test_the_example_of_a_command_that_serves_starts_and_stops(
    tmp_path_factory: pytest.TempPathFactory, command: str, example: str
) -> None:
    folder = make_folder(tmp_path_factory.mktemp(command) / "project")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    assert SERVES[command] in stopped_when_ready(folder, shlex.split(example), SERVES[command])
