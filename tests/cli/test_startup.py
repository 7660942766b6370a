"""What every command line has: a version, exit code 2 for wrong usage, completion, and a start that imports only what it needs."""

import re
import shutil
import subprocess
import sys
import tomllib
from typing import Any, Literal, get_args

import pytest
from support.commands import Commands
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
    program = "import sys; from mystocks_dagster.cli.main import main\ntry: main()\nfinally: print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder.root,
        env=folder.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split()) & set(HEAVY)


@pytest.fixture
def shipped(folder: Folder) -> Folder:
    """The shipped task file, before anything has run."""
    shutil.rmtree(folder.root / ".dagster")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")])
def test_help_imports_nothing_heavy(shipped: Folder, arguments: tuple[str, ...]) -> None:
    assert imported_by(shipped, *arguments) == set()


@pytest.mark.parametrize("arguments", [("check",), ("list",), ("show", "daily_job")])
def test_what_only_reads_the_file_imports_what_its_functions_need_and_no_dagster(
    shipped: Folder, arguments: tuple[str, ...]
) -> None:
    # The functions that the file names declare their tables in polars' types, and write them with deltalake.
    assert imported_by(shipped, *arguments) <= {"yaml", "polars", "deltalake"}


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
        (("history", "--status", "faild"), completion.Status),
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
    assert set(get_args(completion.Status)) == set(get_args(Status)) == COLOURS.keys()


#: Commands without --json, and why.
WITHOUT_JSON = {
    "export": "what it prints is the file itself, in the format asked for",
    "demo": "a show for people; programs use `mystocks --demo run daily_job --json`",
    "ui": "runs until Ctrl-C",
    "api": "runs until Ctrl-C",
}


def test_every_command_prints_json_for_programs() -> None:
    without = {
        words for words, command in commands() if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == WITHOUT_JSON.keys()


def completed(folder: Folder, line: str) -> set[str]:
    """Return what the Tab key offers at the end of a line, as bash asks for it, and check that Dagster was not imported."""
    words = line.split(" ")
    environment = {
        **folder.environment,
        "_MYSTOCKS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    program = "import sys; sys.argv[0] = 'mystocks'; from mystocks_dagster.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder.root, env=environment, capture_output=True, text=True, check=False
    )
    assert not re.search(r"\| +(dagster|polars)$", done.stderr, re.M)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "command", ["run", "show", "stop", "enable", "disable", "resume", "pause", "reset", "next", "edit", "remove"]
)
def test_ids_of_tasks_and_groups_are_completed(shipped: Folder, command: str) -> None:
    assert completed(shipped, f"mystocks {command} daily_") == {"daily_data_sync", "daily_job"}


@pytest.mark.parametrize("command", ["logs", "stats", "backfill"])
def test_where_only_tasks_can_stand_only_tasks_are_completed(shipped: Folder, command: str) -> None:
    assert completed(shipped, f"mystocks {command} daily_") == {"daily_data_sync"}


def test_commands_and_choices_are_completed_too(shipped: Folder) -> None:
    assert completed(shipped, "mystocks history --status p") == {"partial_success", "pending", "paused"}
    assert completed(shipped, "mystocks list --type m") == {"manual", "market_fetch"}
    assert completed(shipped, "mystocks export --format ") == {"yaml", "json"}
    assert completed(shipped, "mystocks dis") == {"disable"}


@pytest.mark.parametrize("text", ["tasks: [", "- 3", "tasks: 5", "", None])
def test_completion_says_nothing_over_a_broken_file(folder: Folder, text: str | None) -> None:
    if text is not None:
        folder.write("tasks.yaml", text)
    assert completed(folder, "mystocks run x") == set()


def test_completion_can_be_installed(folder: Folder) -> None:
    home = folder.root / "home"
    home.mkdir()
    environment = {
        **folder.environment,
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "--install-completion", "bash"]
    done = subprocess.run(command, cwd=folder.root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert any("COMPLETE" in path.read_text(encoding="utf-8") for path in home.rglob("*") if path.is_file()), list(
        home.rglob("*")
    )
