"""Fixtures of the commands' tests."""

import pytest
from support.commands import Commands
from support.project import Folder


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in an empty project folder."""
    monkeypatch.chdir(folder.root)
    # What a command sets for its children is gone after the test.
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("COLUMNS", "300")
    return Commands(folder, monkeypatch, capsys)
