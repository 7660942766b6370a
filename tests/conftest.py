"""Fixtures of all tests: projects in empty folders, never this one's own state."""

import gc
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from support.commands import Commands, commands_in
from support.keep_bytecode import keep_bytecode
from support.postgres import postgres_server
from support.project import ROOT, Folder, empty_home, make_folder
from support.quick_mode import QuickMode

from mystocks_dagster.gc_tuning import tune_gc

#: Real market data beside the project; tests that need it skip where it is absent.
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_collection() -> None:
    """Keep the tests' bytecode even where the environment says to write none: rewriting them takes seconds."""
    sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the garbage collector need not look at it again and again."""
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    tune_gc()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --quick."""
    parser.addoption("--quick", action="store_true", help="run the tests that start no process and no server")


def pytest_configure(config: pytest.Config) -> None:
    """Take Ctrl-C, which a shell that runs tests in the background has ignored, and SIGHUP, which nohup has: tests send
    both, and commands take them."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if not hasattr(config, "workerinput"):
        keep_bytecode()
    if config.getoption("quick"):
        config.pluginmanager.register(QuickMode())


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the variables of the person who runs it, nor those that a command within another test has set."""
    for name in _our_variables():
        monkeypatch.delenv(name)
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):  # the texts of commands are compared in English
        monkeypatch.setenv(name, "C.UTF-8")
    yield
    monkeypatch.undo()
    for name in _our_variables() - _AT_FIRST:
        del os.environ[name]


def _our_variables() -> set[str]:
    return {name for name in os.environ if name.startswith(("MYSTOCKS_", "DAGSTER_"))}


_AT_FIRST = _our_variables()


@pytest.fixture(autouse=True)
def _forget_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the task modules of another test's project, which may have the same names."""
    known, path = set(sys.modules), list(sys.path)
    yield
    base = f"{tmp_path_factory.getbasetemp()}{os.sep}"
    for name in sys.modules.keys() - known:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(base):
            del sys.modules[name]
    # What a fixture of a whole file has added stays as long as that.
    sys.path[:] = [folder for folder in sys.path if folder in path or not folder.startswith(base)]


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside the project")
    return SHARED_DATA


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty project folder with Dagster's files."""
    return make_folder(tmp_path / "project")


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in an empty project folder."""
    return commands_in(folder, monkeypatch, capsys)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance of its own; its databases are copies, which is four times as quick as making them."""
    home = shutil.copytree(empty_home(), tmp_path / "dagster_home")
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        yield instance


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A real Postgres server."""
    with postgres_server() as server:
        yield server
