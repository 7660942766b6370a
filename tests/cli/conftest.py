"""The shipped task file for the tests of commands."""

import shutil
import sys
from collections.abc import Callable

import pytest
from support.project import ROOT, Folder


@pytest.fixture
def shipped(folder: Folder) -> Folder:
    """The shipped task file, before anything has run."""
    shutil.rmtree(folder.root / ".dagster")
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[int], None]:
    """Let stdout, as it is captured, be a terminal of a width."""

    def be(width: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", str(width))

    return be
