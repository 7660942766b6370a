"""A followed run as a person sees it: live bars in a terminal, plain lines in a pipe."""

import os
import pty
import re
import subprocess
import sys

import dagster as dg
import psycopg2
import pytest
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy.exc import OperationalError
from support.commands import Commands
from support.project import Folder

from mystocks_dagster.cli.follow import _translated

TASKS = """
    task_packages: [counts]
    tasks:
      - {task_id: first, task_type: manual, task_module: counts, task_function: count}
      - {task_id: second, task_type: manual, task_module: counts, task_function: count, dependencies: [first]}
"""
COUNTS = """
    import time

    def count(params, run):
        for number in range(1, 5):
            run.report_progress(number, 4, "[files]")
            time.sleep(0.6)
"""


@pytest.fixture
def counting(folder: Folder) -> Folder:
    folder.write("tasks.yaml", TASKS)
    folder.write("counts.py", COUNTS)
    return folder


def in_terminal(folder: Folder, *arguments: str) -> str:
    """Run a command in a terminal of its own and return what it showed, without colours."""
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", *arguments]
    environment = {**folder.environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, cwd=folder.root, env=environment, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = b""
    while True:
        try:
            shown += (chunk := os.read(mine, 65536))
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
    os.close(mine)
    assert process.wait(60) == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_a_terminal_shows_bars_of_the_steps_and_of_the_task(counting: Folder) -> None:
    shown = in_terminal(counting, "run", "second")
    assert {"0/2", "2/2"} <= set(re.findall(r"steps ━*[╸╺]?━* *(\d/2)", shown))
    assert re.search(r"second \[files\] ━+[╸╺]?━* *[1-4]/4", shown)
    assert "✓ second" in shown


def test_a_pipe_gets_plain_lines(counting: Folder) -> None:
    shown = counting.mystocks("run", "second")
    assert "━" not in shown
    assert "\x1b" not in shown
    assert re.search(r"^  second: 4/4 \[files\]$", shown, re.M)


def test_a_bar_of_a_single_task_fits_into_80_columns() -> None:
    from io import StringIO

    from rich.console import Console

    from mystocks_dagster.cli.follow import _RunDisplay
    from mystocks_dagster.project.follow import RunEvent

    screen = StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None, legacy_windows=False)
    text = "34/100 bars of 2014, about 3 min left"
    with _RunDisplay(console, "run", 1) as display:
        display.show(RunEvent(kind="log", step="bootstrap_market", text=text, level="INFO"))
        display._progress.refresh()
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue()).replace("\r", "\n").splitlines()
    assert any("bars of 2014, about 3 min left" in line and "34/100" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("line", "chinese"),
    [
        ("703/703 bars up to 2026-11-27", "703/703 截至 2026-11-27 的 K 线"),
        ("6/6 stored", "6/6 已存储"),
        ("0/3", "0/3"),
    ],
)
def test_how_far_a_task_is_comes_in_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, line: str, chinese: str
) -> None:
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    assert _translated(line) == chinese


OWN = """
    task_packages: [own]
    tasks:
      - {task_id: part, task_type: manual, task_module: own, task_function: part}
      - {task_id: none, task_type: manual, task_module: own, task_function: none}
      - {task_id: bad, task_type: manual, task_module: own, task_function: bad}
      - {task_id: after, task_type: manual, task_module: own, task_function: none, dependencies: [bad]}
"""
RESULTS = """
    def part(params, run):
        again = {"failed_items": ["乙"], "retry_params": {"only": ["乙"]}}
        return {"status": "partial_success", "message": "甲已装载。乙没有文件。", **again}

    def none(params, run):
        return {"status": "skipped", "message": "今天没有。"}

    def bad(params, run):
        raise ValueError("坏了")
"""


@pytest.mark.slow
def test_the_lines_of_a_chinese_run_are_chinese(folder: Folder) -> None:
    folder.write("tasks.yaml", OWN)
    folder.write("own.py", RESULTS)
    shown = "".join(folder.mystocks("--lang", "zh", "run", name, code=None) for name in ("part", "none", "after"))
    assert "part: 部分完成：甲已装载。乙没有文件。未完成（1）：乙" in shown
    assert "none: 跳过：今天没有。" in shown
    assert "– after 没有启动：它需要 bad" in shown
    assert "此次运行失败。失败的步骤：['bad']" in shown
    assert not re.search(r"Dependencies for|Execution of|skipped|partly|Not done", shown), shown


def test_what_dagster_says_of_its_own_job_is_said_of_the_run() -> None:
    from types import SimpleNamespace

    import dagster as dg

    from mystocks_dagster.project.follow import _event

    said = "Execution of run for \"__ASSET_JOB\" failed. Steps failed: ['load__asset']."
    event = SimpleNamespace(event_type=dg.DagsterEventType.PIPELINE_FAILURE, step_key=None, message=said)
    shown = _event(SimpleNamespace(dagster_event=event))
    assert shown is not None
    assert shown.text == "The run failed. Steps failed: ['load__asset']."
    for line in (
        "Dependencies for step load__check failed: ['a'] were not executed: ['b']. Not executing.",
        "Skipping step load__check due to skipped dependencies: ['a', 'b'].",
    ):
        shown = _event(SimpleNamespace(dagster_event=None, user_message=line, step_key="load__check", level=40))
        assert shown == ("step not started", "load__check", "a, b", "")


@dg.job
def nothing() -> None:
    """A job of no step."""


def away() -> DagsterPostgresException:
    """Return the error that Dagster's storage raises while the database is away."""
    reason = psycopg2.OperationalError("connection refused")
    error = DagsterPostgresException("too many retries for DB connection")
    error.__cause__ = OperationalError("SELECT 1", {}, reason)
    error.__cause__.__cause__ = reason
    return error


def test_a_run_is_followed_on_after_an_outage_of_the_database(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.runs import launch

    run_id = nothing.execute_in_process(instance=instance).run_id
    asked, get, said = iter((away(), away())), instance.get_run_by_id, []

    def get_run(wanted: str) -> object:
        if error := next(asked, None):
            raise error
        return get(wanted)

    monkeypatch.setattr(instance, "get_run_by_id", get_run)
    monkeypatch.setattr(launch, "_POLL_SECONDS", 0)
    entries = list(launch.follow(instance, run_id, database=said.append))
    assert any(entry.dagster_event and entry.dagster_event.is_job_success for entry in entries)
    assert said == [False, True]


def test_a_command_says_in_one_sentence_that_the_database_does_not_answer(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster.project.project import Project

    def fail(*_: object, **__: object) -> None:
        raise away()

    cli.folder.write("tasks.yaml", "tasks: []\n")
    monkeypatch.setattr(Project, "__init__", fail)
    told = cli("history", code=1)
    assert "does not answer: connection refused" in " ".join(told.split())
    assert "Traceback" not in told


def test_a_run_that_ends_during_an_outage_says_so(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mystocks_dagster import dagster_internals
    from mystocks_dagster.factory import worker

    run = instance.create_run_for_job(nothing)

    def body(*_: object, **__: object) -> None:
        try:
            raise away()
        except DagsterPostgresException:
            instance.report_run_failed(run)

    monkeypatch.setattr(dagster_internals, "execute_run_command_body", body)
    worker.execute(instance, run.run_id)
    failed = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    told = failed[0].event_log_entry.dagster_event
    assert told
    assert "The run ended while its database was away" in str(told.message)
