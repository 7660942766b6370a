"""`mystocks run` with a task of one's own: what it printed and returned is shown, and slips in its parameters are
noticed."""

import subprocess
import sys

import pytest
from support.project import Folder

TASKS = """
    task_packages: [mine]
    tasks:
      - {task_id: count, task_type: manual, task_module: mine, task_function: count, params: {threshold: 1.095,
         day: 2022-01-04, label: x}}
      - {task_id: typed, task_type: manual, task_module: mine, task_function: typed}
      - {task_id: window, task_type: manual, task_module: mine, task_function: window}
      - {task_id: slow, task_type: manual, task_module: mine, task_function: slow, max_instances: 1,
         params: {seconds: 300}}
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
