"""A full disk and a read-only one under the instance: the folder is named, and a clean-up makes room."""

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from support.project import Folder

from mystocks_dagster import disk_errors
from mystocks_dagster.history.cleanup import disk_space
from mystocks_dagster.market.clock import now

TASKS = """
    task_packages: [quick]
    tasks:
      - {task_id: tiny, task_type: cron, task_module: quick, task_function: nothing}
"""
QUICK = """
    def nothing(params):
        print("x" * 200_000)
"""


def wrapped(text: str) -> OperationalError:
    """Return what SQLAlchemy raises for an error of SQLite's."""
    return OperationalError("INSERT INTO runs", {}, sqlite3.OperationalError(text))


@pytest.mark.parametrize(
    "error",
    [
        wrapped("database or disk is full"),
        sqlite3.OperationalError("database or disk is full"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
    ids=["SQLAlchemy", "SQLite", "no space", "quota"],
)
def test_a_full_disk_is_named_with_its_space_and_the_remedy(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other programs write meanwhile: the free space is read once for both messages.
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    told = str(disk_errors.explain(error, tmp_path))
    assert f"The disk of {tmp_path} is full" in told
    assert "MB are free" in told
    assert "mystocks cleanup --days 30" in told
    outer = RuntimeError("outer")
    outer.__cause__ = error
    assert str(disk_errors.explain(outer, tmp_path)) == told


@pytest.mark.parametrize(
    "error", [wrapped("attempt to write a readonly database"), OSError(errno.EROFS, "Read-only file system")]
)
def test_a_read_only_instance_is_named(tmp_path: Path, error: Exception) -> None:
    assert f"{tmp_path}: cannot be written" in str(disk_errors.explain(error, tmp_path))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_folder_that_is_not_the_instances_is_not_cured_by_a_clean_up(tmp_path: Path, code: int) -> None:
    told = str(disk_errors.explain(OSError(code, os.strerror(code)), tmp_path, instance=False))
    assert str(tmp_path) in told
    assert re.search("name (another|a) folder", told)
    assert "cleanup" not in told
    assert "DAGSTER_HOME" not in told


def test_a_file_on_another_disk_is_named_instead_of_the_instance(tmp_path: Path) -> None:
    told = str(disk_errors.explain(OSError(errno.ENOSPC, "No space left on device", "/media/stick/out.csv"), tmp_path))
    assert "/media/stick/out.csv: cannot be written" in told
    assert str(tmp_path) not in told


@pytest.mark.parametrize(
    "error", [ValueError("disk is full"), wrapped("no such table: runs"), OSError(errno.ENOENT, "no such file")]
)
def test_another_error_is_not_taken_for_one_of_the_disk(tmp_path: Path, error: Exception) -> None:
    assert disk_errors.explain(error, tmp_path) is None


def test_a_database_is_not_made_smaller_where_that_would_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some.db"
    path.write_bytes(bytes(1000))
    monkeypatch.setattr(disk_errors, "room", lambda _: 1500)
    (note,) = disk_space.compact_file(path)
    assert "some.db was not compacted" in note
    assert path.read_bytes() == bytes(1000)


class Mounted:
    """A small disk of its own under a project's instance."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.home = folder, folder.root / ".dagster"

    def mount(self, options: str) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.home)], capture_output=True)
        if done.returncode:
            pytest.skip("a file system cannot be mounted here")

    def fill(self) -> None:
        """Leave not one byte."""
        with (self.home / "filler").open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(65_536)):
                pass
        assert disk_errors.room(self.home) == 0


@pytest.fixture
def mounted(folder: Folder) -> Iterator[Mounted]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    small = Mounted(folder)
    small.home.mkdir(exist_ok=True)
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    small.mount("size=24m")
    yield small
    subprocess.run(["umount", "-l", str(small.home)], check=False)


def test_a_full_disk_is_named_and_a_clean_up_makes_room(mounted: Mounted) -> None:
    folder = mounted.folder
    folder.mystocks("run", "tiny")
    folder.mystocks("run", "tiny")
    mounted.fill()
    told = folder.mystocks("run", "tiny", code=1)
    assert f"The disk of {mounted.home} is full" in told
    assert "Traceback" not in told
    folder.env["MYSTOCKS_NOW"] = (now() + timedelta(days=40)).isoformat()
    told = folder.mystocks("cleanup", "--days", "30")
    assert "Removed 1 runs" in told
    assert disk_errors.room(mounted.home) > 0
    assert "Traceback" not in told
    del folder.env["MYSTOCKS_NOW"]
    (mounted.home / "filler").unlink()
    assert next(one["status"] for one in folder.json("history")) == "success"


def test_history_on_a_read_only_disk_is_a_message(mounted: Mounted) -> None:
    mounted.folder.mystocks("run", "tiny")
    subprocess.run(["mount", "-o", "remount,ro", str(mounted.home)], check=True)
    for command in (["history"], ["stats"], ["cleanup", "--days", "1"], ["run", "tiny"]):
        told = mounted.folder.mystocks(*command, code=1)
        assert "Traceback" not in told
        assert f"{mounted.home}: cannot be written" in told
