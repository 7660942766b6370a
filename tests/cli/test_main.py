"""What every command line has: a version, exit code 2 for wrong usage, and a start that imports only what it needs."""

import subprocess
import sys
import tomllib
from typing import Any, Literal, get_args

import pytest
from support.commands import Commands
from support.forked_commands import can_run, run_forked
from support.project import ROOT, Folder

from mystocks_dagster.cli import completion
from mystocks_dagster.cli.printing import COLOURS
from mystocks_dagster.cli.reference import commands
from mystocks_dagster.tags import Status
from mystocks_dagster.taskfile.model import TaskType

HEAVY = (
    "dagster",
    "polars",
    "deltalake",
    "duckdb",
    "akshare",
    "sqlalchemy",
    "requests",
    "fastapi",
    "exchange_calendars",
    "yaml",
)


def imported_by(folder: Folder, *arguments: str) -> set[str]:
    """Return which heavy modules a command has imported when it ends."""
    program = (
        "import sys; from mystocks_dagster.cli.main import main\n"
        "try: main()\nfinally: print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder.root,
        env=folder.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split()) & set(HEAVY)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")])
def test_help_imports_nothing_heavy(shipped: Folder, arguments: tuple[str, ...]) -> None:
    assert imported_by(shipped, *arguments) == set()


@pytest.mark.parametrize("arguments", [("check",), ("list",), ("show", "daily_job")])
def test_what_only_reads_the_file_imports_what_its_functions_need_and_no_dagster(
    shipped: Folder, arguments: tuple[str, ...]
) -> None:
    # The functions that the file names declare their tables in polars' types, and write them with deltalake.
    assert imported_by(shipped, *arguments) <= {"yaml", "polars", "deltalake"}


@pytest.fixture
def looked_at(folder: Folder) -> Folder:
    """The shipped task file beside an instance, after somebody has looked at the tasks once."""
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    folder.mystocks("list")
    return folder


@pytest.mark.parametrize(
    "arguments", [("list",), ("show", "daily_job"), ("history",), ("stats", "--since", "7d"), ("next", "--count", "3")]
)
def test_what_looks_at_tasks_and_runs_imports_neither_dagster_nor_a_task_module(
    looked_at: Folder, arguments: tuple[str, ...]
) -> None:
    assert imported_by(looked_at, *arguments) <= {"yaml"}


def test_what_looks_at_tables_imports_no_dagster(looked_at: Folder) -> None:
    assert imported_by(looked_at, "data", "tables") <= {"yaml", "polars", "deltalake"}


def test_a_run_of_a_task_without_tables_imports_no_polars(folder: Folder) -> None:
    folder.write("tasks.yaml", "task_packages: [quick]\ntasks:\n"
                 "- {task_id: a, task_type: manual, task_module: quick, task_function: nothing}\n")  # fmt: skip
    folder.write("quick.py", "def nothing(params): return None\n")
    folder.mystocks("list")
    assert not imported_by(folder, "run", "a") & {"polars", "deltalake", "requests", "fastapi"}


def test_the_version_is_that_of_the_package(cli: Commands) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert cli("--version") == f"mystocks {version}\n"


@pytest.mark.parametrize(
    "arguments", [("no_such_command",), ("list", "--no-such-option"), ("run",), ("data", "no_such_table_command")]
)
def test_wrong_usage_ends_with_2(cli: Commands, arguments: tuple[str, ...]) -> None:
    cli(*arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (("list", "--type", "crn"), completion.TaskType),
        (("history", "--status", "faild"), Status),
        (("export", "--format", "xml"), Literal["yaml", "json"]),
    ],
    ids=["type", "status", "format"],
)
def test_a_word_that_is_no_choice_is_refused_with_the_choices(
    cli: Commands, arguments: tuple[str, ...], choices: Any
) -> None:
    told = cli(*arguments, code=2)
    assert all(choice in told for choice in get_args(choices))


def test_the_choices_are_those_of_the_model() -> None:
    assert get_args(completion.TaskType) == get_args(TaskType)
    assert set(get_args(Status)) == COLOURS.keys()


#: Commands without --json, and why.
WITHOUT_JSON = {
    "export": "what it prints is the file itself, in the format asked for",
    "mcp": "it speaks JSON-RPC to an assistant",
    "demo": "a show for people; programs use `mystocks --demo run daily_job --json`",
    "ui": "runs until Ctrl-C",
    "api": "runs until Ctrl-C",
    "worker": "runs until Ctrl-C",
    "users role": "says in one line what it changed",
    "users remove": "says in one line what it changed",
    "init": "writes files, and prints what a person does next",
}


def test_every_command_prints_json_for_programs() -> None:
    without = {
        words for words, command in commands() if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == WITHOUT_JSON.keys()


@pytest.mark.slow
@pytest.mark.parametrize("line", ["list", "--version", "run nothing", "nonsense", "history --json", "--help"])
def test_a_command_that_the_tests_fork_prints_and_ends_as_one_in_a_new_interpreter(shipped: Folder, line: str) -> None:
    env, words = shipped.environment, line.split()
    assert can_run(env, shipped.env, shipped.root)
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", *words]
    new = subprocess.run(command, cwd=shipped.root, env=env, capture_output=True, text=True, check=False)
    forked = run_forked(words, shipped.root, env, 120)
    assert (forked.returncode, forked.stdout, forked.stderr) == (new.returncode, new.stdout, new.stderr)


@pytest.mark.parametrize("command", ["history", "stats"])
def test_days_that_are_exchanged_are_no_empty_history(cli: Commands, command: str) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    told = cli(command, "--since", "2026-12-05", "--until", "2026-11-01", code=1)
    assert (
        "There is no time from 2026-12-05 00:00 until 2026-11-02 00:00, which is not included. Exchange the two" in told
    )
