"""`make quick` covers every layer, and no test of it starts a process or a server, even where one hides it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from docs.test_layout import PACKAGE, TESTS, answers
from support import quick_mode
from support.project import ROOT, Folder, free_port, make_folder

HIDDEN = """
import importlib
import pytest

def run():
    return importlib.import_module("sub" + "process").run(["true"])

def listen():
    probe = importlib.import_module("sock" + "et").socket()
    probe.bind(("127.0.0.1", 0))

def test_runs(): run()

def test_listens(): listen()

def test_catches():
    try:
        run()
    except BaseException:
        pass

@pytest.fixture
def started(): run()

def test_has_a_fixture(started): pass

@pytest.mark.slow
def test_is_marked(): run()

def test_is_quick(): pass
"""
PLUGIN = """
from support.quick_mode import QuickMode

def pytest_configure(config):
    config.addinivalue_line("markers", "slow: not quick")
    config.pluginmanager.register(QuickMode())
"""


def pytest_in(folder: Path, *arguments: str) -> str:
    """Run pytest in a folder and return what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments]
    environment = {"PYTHONPATH": str(TESTS), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def test_a_quick_test_that_starts_a_process_or_a_server_fails(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "test_hidden.py").write_text(HIDDEN, encoding="utf-8")
    told = pytest_in(tmp_path, "-rA", "test_hidden.py")
    outcomes = {
        line.split("::")[1].split()[0]: line.split()[0] for line in told.splitlines() if " test_hidden.py::" in line
    }
    assert outcomes == {
        "test_runs": "FAILED",
        "test_listens": "FAILED",
        "test_catches": "FAILED",
        "test_has_a_fixture": "ERROR",
        "test_is_quick": "PASSED",
    }
    assert "mark it `slow`" in told


def helper() -> None:
    subprocess.run(["true"], check=True)


class Runner:
    def go(self) -> None:
        helper()

    def stay(self) -> None:
        pass


def goes(runner: Runner) -> None:
    runner.go()


def stays(runner: Runner) -> None:
    runner.stay()


def commands(folder: Folder) -> None:
    folder.mystocks("list")


@pytest.mark.parametrize(
    ("function", "slow"),
    [(helper, True), (goes, True), (stays, False), (commands, True), (free_port, True), (make_folder, False)],
)
def test_what_a_test_or_its_helpers_name_says_whether_it_is_quick(function: object, slow: bool) -> None:
    assert quick_mode.starts(function) is slow


def test_every_layer_has_quick_tests() -> None:
    told = pytest_in(ROOT, "--quick", "--collect-only", "-q", "-o", "addopts=--import-mode=importlib", "tests")
    files = Counter(line.partition("::")[0].removeprefix("tests/") for line in told.splitlines() if "::" in line)
    covered = {Path(file).parts[0] for file in files}
    covered |= {Path(module).parts[0] for module, file in answers().items() if file in files}
    # `defs/` is empty: it is where a team puts its own.
    layers = {file.parent.name for file in PACKAGE.glob("*/__init__.py")} - {"defs"}
    assert layers - covered == set()
