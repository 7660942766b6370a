"""Who names a pipe, a device, a socket or a folder as a file gets a sentence, and nobody waits for it."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster.backup.manifest import FILE, read_manifest
from mystocks_dagster.errors import BackupError, InvalidParams, SettingsError
from mystocks_dagster.lake.code_change_file import read_changes
from mystocks_dagster.plain_files import read_plain, read_plain_text
from mystocks_dagster.servicefiles.environment import needed
from mystocks_dagster.strategies.formula_files import read_formula
from mystocks_dagster.strategies.reader import read_strategies
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.trading_calendar.day_file import read_days


@contextmanager
def no_file(path: Path, kind: str) -> Iterator[str]:
    """Put something else than a file at the path; the value is what is said of it."""
    bound = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        bound.bind(str(path))
    with bound:
        yield f"it is a {kind}"


KINDS = ["pipe", "folder", "device", "socket"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    with no_file(tmp_path / "x", kind) as told, pytest.raises(OSError, match=told):
        read_plain(tmp_path / "x")


def test_a_file_behind_a_link_is_read_with_its_line_breaks_as_python_writes_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("一\r\n二\r三\n".encode())
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_plain_text(tmp_path / "link") == "一\n二\n三\n"


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "trading days": ("trading_calendar.csv", read_days),
    "code changes": ("code_changes.csv", read_changes),
    "a backup": (FILE, lambda path: read_manifest(path.parent)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_a_user_names_may_be_none(tmp_path: Path, reader: str, kind: str) -> None:
    name, read = READERS[reader]
    with no_file(tmp_path / name, kind) as told, pytest.raises((SettingsError, TaskFileError, BackupError), match=told):
        read(tmp_path / name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_strategy_that_is_no_file_is_a_problem_of_it(tmp_path: Path, kind: str) -> None:
    with no_file(tmp_path / "mine.py", kind) as told:
        (problem,) = read_strategies(tmp_path / "mine.py").problems
        assert problem.message == f"the file cannot be read: {told}"


def test_a_formula_in_a_pipe_is_refused(cli: Commands) -> None:
    folder = cli.folder.root / "formulas"
    folder.mkdir()
    with no_file(folder / "mine.txt", "pipe") as told, pytest.raises(InvalidParams, match=told):
        read_formula("formulas/mine.txt")


def test_a_service_is_installed_although_the_task_file_is_a_pipe(tmp_path: Path) -> None:
    with no_file(tmp_path / "tasks.yaml", "pipe"):
        assert needed({"MYSTOCKS_NOW": "x", "OTHER": "y"}, tmp_path / "tasks.yaml") == {"MYSTOCKS_NOW": "x"}


def test_check_names_code_changes_that_are_no_file(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    with no_file(cli.folder.root / "code_changes.csv", "pipe") as told:
        assert told in cli("check", code=1)


@pytest.mark.parametrize(
    "variable", ["MYSTOCKS_TASKS", "MYSTOCKS_TRADING_CALENDAR", "MYSTOCKS_LAKE", "MYSTOCKS_EXPORTS", "DAGSTER_HOME"]
)
def test_a_link_that_leads_to_itself_is_no_crash_of_any_variable(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    cli.folder.write("tasks.yaml", "tasks: []\n")
    loop = cli.folder.root / "loop"
    loop.symlink_to(loop)
    monkeypatch.setenv(variable, str(loop))
    code = 1 if variable == "MYSTOCKS_TASKS" else 0
    told = cli("check", code=code)
    assert (f"{loop} is a link that leads to no file" in told) == bool(code)


def test_a_task_file_that_is_a_link_to_itself_is_told_in_a_sentence(cli: Commands) -> None:
    path = cli.folder.root / "tasks.yaml"
    path.symlink_to(path)
    assert f"{path} is a link that leads to no file" in cli("check", code=1)
    path.unlink()
    cli.folder.write("tasks.yaml", "tasks: []\n")
    assert cli.json("check") == []
