"""`mystocks run` with a task of one's own: what it printed and returned is shown, and slips in its parameters are
noticed."""

import subprocess
import sys
from dataclasses import replace

import pytest
from support.commands import Commands
from support.project import Folder, serve

from mystocks_dagster.instance import open_tables
from mystocks_dagster.runs import daemon_lake
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [mine]
    tasks:
      - {task_id: count, task_type: manual, task_module: mine, task_function: count, params: {threshold: 1.095,
         day: 2022-01-04, label: x}}
      - {task_id: typed, task_type: manual, task_module: mine, task_function: typed}
      - {task_id: window, task_type: manual, task_module: mine, task_function: window}
      - {task_id: slow, task_type: manual, task_module: mine, task_function: slow, max_instances: 1,
         params: {seconds: 300}}
      - {task_id: where, task_type: manual, task_module: mine, task_function: where}
      - {task_id: broken, task_type: manual, task_module: mine, task_function: broken}
"""
MINE = """
    import time
    from datetime import date

    from pydantic import BaseModel

    from mystocks_dagster.tasks.param_types import Day


    def count(params):
        print("12 stocks rose by the limit")
        return {"status": "success", "limit_ups": 12, "params": params}


    class Window(BaseModel):
        start_date: date = date(2020, 1, 1)


    def typed(params: Window):
        print(type(params.start_date).__name__, params.start_date)


    class Span(BaseModel):
        day: Day = None


    def window(params: Span):
        print(type(params.day).__name__, params.day)


    def slow(params):
        time.sleep(params["seconds"])


    def where(params, run):
        print(f"it writes to {run.settings.lake} from {run.settings.source}")


    def broken(params):
        raise ValueError("the vendor's file is empty")
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    from support.project import make_folder

    folder = make_folder(tmp_path_factory.mktemp("mine") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("mine.py", MINE)
    return folder


def test_what_a_task_printed_and_returned_is_shown(mine: Folder) -> None:
    shown = mine.mystocks("run", "count", "-p", "threshold=1.05")
    assert "12 stocks rose by the limit" in shown
    assert "limit_ups: 12" in shown
    assert '"threshold": 1.05' in shown


def test_a_date_is_given_as_the_task_file_would_read_it(mine: Folder) -> None:
    assert "date 2022-01-04" in mine.mystocks("run", "typed", "-p", "start_date=2022-01-04")


@pytest.mark.parametrize("written", ["20220104", "2022-01-04", "2022/01/04"])
def test_a_day_is_written_as_other_tools_write_it(mine: Folder, written: str) -> None:
    assert "date 2022-01-04" in mine.mystocks("run", "window", "-p", f"day={written}")


def test_a_misspelt_parameter_of_a_plain_function_is_refused_and_a_new_one_is_said(mine: Folder) -> None:
    refused = mine.mystocks("run", "count", "-p", "treshold=1.05", code=1)
    assert "It has no parameter 'treshold' in the task file. Did you mean 'threshold'?" in refused
    assert "has no parameter 'extra'" in mine.mystocks("run", "count", "-p", "extra=1")


def test_a_day_that_does_not_exist_is_told_with_the_parameters_name_once(mine: Folder) -> None:
    refused = " ".join(mine.mystocks("run", "window", "-p", "day=2026-02-30", code=1).split())
    assert "params.day: '2026-02-30' is not a day. Write it like 2026-11-27 or 20261127." in refused
    assert "20261127.." not in refused


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("label=1", """label is 1, and it takes text. Write it in quotes; in a terminal: -p 'label="1"'"""),
        ("threshold=high", "threshold is 'high', and it takes a number."),
    ],
)
def test_a_value_of_another_type_is_told_with_what_the_parameter_takes(mine: Folder, written: str, told: str) -> None:
    refused = mine.mystocks("run", "count", "-p", written, code=1)
    assert told in " ".join(refused.split())


def test_a_query_ends_without_a_page_about_leaks(mine: Folder) -> None:
    shown = mine.mystocks("data", "query", "SELECT 1 AS one")
    assert "nanobind" not in shown
    assert [line.strip() for line in shown.splitlines()] == ["one", "1"]


def test_the_history_says_why_the_newest_failure_failed_and_where_its_log_is(mine: Folder) -> None:
    mine.mystocks("run", "broken", code=1)
    shown = mine.mystocks("history", "broken")
    assert "the vendor's file is empty" in shown
    run = mine.json("history", "broken")[0]["execution_id"]
    assert f"mystocks logs {run}" in shown
    assert "the vendor's file is empty" in mine.mystocks("logs", run)


def test_a_run_that_is_ended_with_its_command_is_stopped_and_can_be_started_again(mine: Folder) -> None:
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "run", "slow"]
    with subprocess.Popen(command, cwd=mine.root, env=mine.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("▶ slow" in line for line in process.stdout)
        process.terminate()
        assert process.wait(60) == 1
    assert mine.json("history", "slow")[0]["status"] == "cancelled"
    mine.mystocks("run", "slow", "-p", "seconds=0")


def test_a_second_run_of_a_task_is_refused_with_commands_that_help_as_they_are_printed(mine: Folder) -> None:
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "run", "slow"]
    with subprocess.Popen(command, cwd=mine.root, env=mine.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("▶ slow" in line for line in process.stdout)
        refused = " ".join(mine.mystocks("run", "slow", code=1).split())
        assert "slow is already running: " in refused
        assert "`mystocks stop slow`" in refused
        assert "`mystocks edit slow max_instances=2`" in refused
        chinese = " ".join(mine.mystocks("--lang", "zh", "run", "slow", code=1).split())
        assert "slow 正在运行：" in chinese
        assert "用 `mystocks stop slow` 停止它，或用 `mystocks edit slow max_instances=2` 多允许一个。" in chinese
        assert "cancel" in mine.mystocks("stop", "slow")
        assert process.wait(60) == 1
    assert "max_instances: 2" in mine.mystocks("edit", "slow", "max_instances=2", "--dry-run")


@pytest.mark.slow
def test_a_run_for_another_lake_or_source_than_the_running_ui_has_is_executed_here(mine: Folder) -> None:
    own = replace(mine, env={"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_LAKE": str(mine.root / "lake3")})
    demo = replace(mine, env={"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_LAKE": str(mine.root / "demo" / "lake")})
    other = replace(mine, env={"MYSTOCKS_SOURCE": "recorded"})
    with serve(demo):
        for caller, lake in ((own, "lake3"), (mine, "data")):
            shown = " ".join(caller.mystocks("run", "where").split())
            assert "runs in the foreground, because the daemon's lake is" in shown
            assert f"it writes to {mine.root / lake} from {caller.env.get('MYSTOCKS_SOURCE')}" in shown
        assert "in the daemon's queue" in mine.mystocks("--demo", "run", "where")

        refused = " ".join(own.mystocks("run", "where", "--detach", code=1).split())
        assert "where was not put into the daemon's queue: the daemon's lake is" in refused
        assert "Run it in the foreground: `mystocks run where`." in refused
        chinese = " ".join(own.mystocks("--lang", "zh", "run", "where", "--detach", code=1).split())
        assert "where 未放入守护进程的队列：守护进程的数据湖是" in chinese
        assert "queued" in mine.mystocks("--demo", "run", "where", "--detach")

        command = [sys.executable, "-m", "mystocks_dagster.cli.main", "run", "slow", "-p", "seconds=301"]
        with subprocess.Popen(command, cwd=own.root, env=own.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert any("▶ slow" in line for line in process.stdout)
            assert "slow is already running: " in mine.mystocks("--demo", "run", "slow", code=1)
            process.terminate()
            assert process.wait(60) == 1
    with serve(mine):
        assert "because the daemon's source is that of each task" in " ".join(other.mystocks("run", "where").split())


@pytest.mark.parametrize("command", [["run", "where"], ["bootstrap"], ["backfill", "where", "--from", "2026-11-24"]])
def test_where_other_machines_execute_runs_another_lake_than_theirs_is_refused(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    text = (cli.folder.root / "dagster.yaml").read_text(encoding="utf-8")
    ours, theirs = "factory.launcher\n  class: Process", "factory.machines.launcher\n  class: Machine"
    cli.folder.write("dagster.yaml", text.replace(ours, theirs))
    settings = Settings.from_env()
    open_tables(settings).keep(daemon_lake.KEY, daemon_lake.note(settings))
    monkeypatch.setenv("MYSTOCKS_LAKE", "lake3")
    refused = " ".join(cli(*command, code=1).split())
    assert "Nothing was started: runs are executed by other machines, and the daemon's lake is" in refused
