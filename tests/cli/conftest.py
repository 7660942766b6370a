"""Fixtures of the commands' tests."""

import pytest
from support.commands import Commands, commands_in
from support.project import Folder


@pytest.fixture
def cli(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands in an empty project folder."""
    return commands_in(folder, monkeypatch, capsys)
