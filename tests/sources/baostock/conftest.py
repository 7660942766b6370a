"""Processes that use the source as a task's process does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BEFORE = """
from datetime import date
import datetime
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock.source import BaostockSource
source = BaostockSource(Settings.from_env())
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start a process that runs some lines with a `source` of this test's environment."""
    processes: list[subprocess.Popen[str]] = []

    def begin(lines: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", f"{BEFORE}\n{lines}"]
        process = subprocess.Popen(command, cwd=tmp_path, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()
