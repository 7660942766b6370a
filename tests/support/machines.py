"""A project that several machines share: its head, with the task file, and machines that only take runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.postgres import use_postgres
from support.processes import stop_and_kill
from support.project import Folder, make_folder, wait_for

_ONE = "  module: mystocks_dagster.factory.launcher\n  class: ProcessRunLauncher\n"
_SEVERAL = "  module: mystocks_dagster.factory.machines.launcher\n  class: MachineRunLauncher\n"


@dataclass
class Machine:
    """A machine with a disk of its own, and the process that takes runs on it."""

    folder: Folder
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What `mystocks worker` has printed."""
        return self.log.read_text(encoding="utf-8")

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the machine: those whose HOME is on its disk."""
        found = []
        for process in psutil.process_iter(["environ"]):
            if (process.info["environ"] or {}).get("HOME") == self.folder.env["HOME"]:
                found.append(process)
        return found

    def lose_power(self) -> None:
        """Kill all of its processes at once."""
        stop_and_kill(self.processes())


def project(root: Path, shared: dict[str, str]) -> Folder:
    """Return a project on a disk of its own: with its own home and temporary files.

    Args:
        root: The disk.
        shared: The environment variables that all machines have.
    """
    folder = make_folder(root / "project")
    for name in ("home", "tmp"):
        (root / name).mkdir()
    folder.env = {**shared, "HOME": str(root / "home"), "TMPDIR": str(root / "tmp")}
    return folder


def share(head: Folder, server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let a project's machines share a new database; return the variable that names it."""
    use_postgres(head, server, monkeypatch)
    text = (head.root / "dagster.yaml").read_text(encoding="utf-8")
    assert _ONE in text
    (head.root / "dagster.yaml").write_text(text.replace(_ONE, _SEVERAL), encoding="utf-8")
    variable = {"MYSTOCKS_POSTGRES_URL": os.environ["MYSTOCKS_POSTGRES_URL"]}
    head.env |= variable
    return variable


@contextmanager
def machine(
    root: Path,
    head: Folder,
    shared: dict[str, str],
    *files: str,
    runs: int = 1,
    early: str = "",
) -> Iterator[Machine]:
    """Start `mystocks worker` on a disk of its own, named after it, with dagster.yaml and these files of the head.

    Args:
        root: The disk.
        head: The machine with the task file.
        shared: The environment variables that all machines have.
        files: Files of the head's project that this machine has too.
        runs: Runs that it executes at once.
        early: Code that each program of the machine executes first.
    """
    folder = project(root, shared)
    if early:
        folder.write("sitecustomize.py", early)
    for name in ("dagster.yaml", *files):
        shutil.copy(head.root / name, folder.root / name)
    path = root / "worker.log"
    command = [sys.executable, "-m", "mystocks_dagster.cli.main", "worker", "--runs", str(runs), "--name", root.name]
    with path.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder.root, env=folder.environment, stdout=log, stderr=log)
    here = Machine(folder, process, path)
    try:
        yield here
    finally:
        here.lose_power()
        process.wait(20)


def takes_runs(machine: Machine) -> None:
    """Wait until a machine takes runs."""

    def ready() -> bool:
        assert machine.process.poll() is None, machine.output
        return "takes up to" in machine.output

    wait_for(ready, 90, f"the machine {machine.folder.root.parent.name}")
