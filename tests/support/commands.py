"""The command line within the test's own process: a command then costs milliseconds, not the seconds of importing
Dagster."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from support.project import Folder
from support.run_forks import share_fork_server

from mystocks_dagster.cli.main import main


@dataclass
class Commands:
    """Runs `mystocks …` in a project folder."""

    folder: Folder
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """Return what the command printed; check its exit code."""
        told = self._run(arguments, code, stdin)
        return told.out + told.err

    def json(self, *arguments: str) -> Any:
        """Return what the command printed with --json."""
        return json.loads(self._run((*arguments, "--json"), 0, "").out)

    def _run(self, arguments: tuple[str, ...], code: int, stdin: str) -> Any:
        self.monkeypatch.setattr(sys, "argv", ["mystocks", *arguments])
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, told
        return told


def commands_in(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Return the commands for a project folder; what one sets in the environment for its children is gone after the
    test."""
    monkeypatch.chdir(folder.root)
    monkeypatch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
    monkeypatch.setenv("MYSTOCKS_ROOT", str(folder.root))
    monkeypatch.setenv("COLUMNS", "300")
    share_fork_server(monkeypatch)
    return Commands(folder, monkeypatch, capsys)
