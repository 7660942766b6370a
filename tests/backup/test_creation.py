"""A backup is of one moment, whoever writes meanwhile; what it cannot copy, it says."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from support.commands import Commands
from support.project import Folder
from support.small_market import small_lake

from mystocks_dagster.backup import creation
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.lake import table_files
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.table_files import TableFiles
from mystocks_dagster.settings import Settings

TASKS = "tasks: []\n"


@pytest.fixture
def project(folder: Folder) -> Folder:
    """A project with a small lake."""
    folder.write("tasks.yaml", TASKS)
    small_lake(folder.root / "data")
    return folder


def one_row(lake: Path, table: str, number: int) -> None:
    write_deltalake(str(lake / table), pl.DataFrame({"n": [number]}).to_arrow(), mode="append")


@contextmanager
def writing(lake: Path, database: Path, pause: float) -> Iterator[None]:
    """Let another writer add one row to three tables in turn, and to two tables of a database in one transaction."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        with sqlite3.connect(database) as connection:
            while not stop.wait(pause):
                number += 1
                for table in ("first", "second", "third"):
                    one_row(lake, table, number)
                with connection:
                    connection.execute("INSERT INTO debit VALUES (?)", [number])
                    connection.execute("INSERT INTO credit VALUES (?)", [number])
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_tables_and_databases_are_of_one_moment_while_others_write(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    lake, database = project.root / "data", project.root / ".dagster" / "ledger.db"
    for table in ("first", "second", "third"):
        one_row(lake, table, 0)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE debit (n)")
        connection.execute("CREATE TABLE credit (n)")
    connection.close()
    for attempt in range(3):
        with writing(lake, database, pause=0.5):
            cli("backup", str(tmp_path / f"backup{attempt}"))
        copy = tmp_path / f"backup{attempt}"
        heights = [
            DeltaTable(str(copy / "lake" / name)).to_pyarrow_table().num_rows for name in ("first", "second", "third")
        ]
        # The writer goes from the first to the third: none is ahead of one before it, nor more than a row behind.
        assert heights == sorted(heights, reverse=True)
        assert heights[0] - heights[2] <= 1
        with sqlite3.connect(copy / "instance" / "ledger.db") as connection:
            rows = [connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("debit", "credit")]
        connection.close()
        assert rows[0] == rows[1]


def test_a_lake_that_is_written_without_a_pause_is_not_copied_half(
    project: Folder, cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "_PATIENCE", 0.5)
    asked = TableFiles._versions

    def written(files: TableFiles) -> Any:
        one_row(project.root / "data", "busy", 1)
        return asked(files)

    with monkeypatch.context() as patch:
        patch.setattr(TableFiles, "_versions", written)
        told = cli("backup", str(tmp_path / "backup"), code=1)
    assert "busy" in told
    assert "without a pause" in told
    assert not (tmp_path / "backup" / "backup.json").exists()
    cli("backup", str(tmp_path / "backup"))


def test_a_table_with_a_long_log_opens_from_its_copy(project: Folder, cli: Commands, tmp_path: Path) -> None:
    lake = project.root / "data"
    for number in range(12):
        one_row(lake, "long", number)
    opened = DeltaTable(str(lake / "long"))
    opened.create_checkpoint()
    for number in range(11):  # as delta-rs does with commits older than a month
        (lake / "long" / "_delta_log" / f"{number:020}.json").unlink()
    one_row(lake, "long", 12)
    cli("backup", str(tmp_path / "backup"))
    copy = DeltaTable(str(tmp_path / "backup" / "lake" / "long"))
    assert copy.version() == 12
    assert sorted(copy.to_pyarrow_table()["n"].to_pylist()) == list(range(13))


def test_a_rows_file_that_was_replaced_is_not_copied(project: Folder, cli: Commands, tmp_path: Path) -> None:
    lake = project.root / "data"
    one_row(lake, "two", 1)
    write_deltalake(str(lake / "two"), pl.DataFrame({"n": [2]}).to_arrow(), mode="overwrite")
    assert len(list((lake / "two").glob("*.parquet"))) == 2
    cli("backup", str(tmp_path / "backup"))
    assert len(list((tmp_path / "backup" / "lake" / "two").glob("*.parquet"))) == 1


@pytest.mark.parametrize("there", ["notes.txt", "backup.json"])
def test_a_folder_with_other_content_is_left_alone(project: Folder, cli: Commands, tmp_path: Path, there: str) -> None:
    target = tmp_path / "backup"
    target.mkdir()
    (target / there).write_text("mine", encoding="utf-8")
    assert "nothing was changed" in cli("backup", str(target), code=1)
    assert [path.name for path in target.iterdir()] == [there]


def test_an_interrupted_backup_goes_on_and_copies_no_data_file_twice(
    project: Folder, cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, fetched = tmp_path / "backup", list[str]()
    fetch = creation._fetch

    def watched(files: TableFiles, path: str, folder: Any) -> None:
        if len(fetched) == 3:
            raise OSError(28, "No space left on device", str(target))
        fetched.append(path)
        fetch(files, path, folder)

    with monkeypatch.context() as patch:
        patch.setattr(creation, "_fetch", watched)
        assert "full" in cli("backup", str(target), code=1)
    data = [path for path in fetched if path.endswith(".parquet")]
    assert data
    # Meanwhile a file that was copied has gone.
    (project.root / "notes.txt").write_text("later", encoding="utf-8")
    (target / "project" / "stale.txt").write_text("gone", encoding="utf-8")
    again = list[str]()
    monkeypatch.setattr(
        creation, "_fetch", lambda files, path, folder: (again.append(path), fetch(files, path, folder))
    )
    cli("backup", str(target))
    assert not set(data) & set(again)
    assert (target / "project" / "notes.txt").read_text(encoding="utf-8") == "later"
    assert not (target / "project" / "stale.txt").exists()
    assert "every digest is right" in cli("restore", str(target), "--check")


def test_a_backup_that_a_power_cut_has_interrupted_is_whole_when_it_is_complete(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    cli("backup", str(target))
    before = Lake(str(project.root / "data")).read("stocks")
    (target / "backup.json").unlink()
    (target / "unfinished.json").write_text(json.dumps({"project": str(project.root)}), encoding="utf-8")
    next((target / "lake" / "stocks").rglob("*.parquet")).write_bytes(b"")
    cli("backup", str(target))
    assert "every digest is right" in cli("restore", str(target), "--check")
    assert Lake(str(target / "lake")).read("stocks").equals(before)


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [16, 64, 256])  # where the files, a database or the lake do not fit
def test_a_full_disk_of_the_backups_is_not_cured_by_a_clean_up_of_the_history(
    project: Folder, cli: Commands, tmp_path: Path, kilobytes: int
) -> None:
    cli("history")
    target = tmp_path / "stick"
    target.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(target)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        told = cli("backup", str(target / "one"), code=1)
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)
    assert f"The disk of {target / 'one'} is full" in told
    assert "name a folder on another disk" in told
    assert "cleanup" not in told


def test_a_folder_for_backups_that_i_may_not_write_is_not_cured_by_dagster_home(
    project: Folder, cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(InstanceError, match="name another folder") as told:
        creation.create(Settings.from_env(), tmp_path / "backup")
    assert "DAGSTER_HOME" not in str(told.value)


def test_an_unfinished_backup_of_another_project_is_not_mixed_with_this_one(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    target.mkdir()
    (target / "unfinished.json").write_text(json.dumps({"project": "/home/li/market"}), encoding="utf-8")
    assert "/home/li/market" in cli("backup", str(target), code=1)
    for text in ("[]", "{", "7"):
        (target / "unfinished.json").write_text(text, encoding="utf-8")
        assert "holds an unfinished backup" in cli("backup", str(target), code=1)


def test_a_file_whose_name_cannot_be_restored_is_named_and_left_out(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    (project.root / "notes").mkdir()
    for name in (os.fsdecode("计划.md".encode("gbk")), "C:plan.md", "good.md"):
        (project.root / "notes" / name).write_text("x", encoding="utf-8")
    told = cli("backup", str(tmp_path / "backup"))
    assert told.count("its name is not one that every system has") == 2
    assert [path.name for path in (tmp_path / "backup" / "project" / "notes").iterdir()] == ["good.md"]


def test_what_is_made_again_or_belongs_to_the_machine_stays_away(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    for name in (".venv/bin/python", ".git/HEAD", "__pycache__/a.pyc", ".dagster/ui.json", ".dagster/daemon.lock"):
        project.write(name, "x")
    project.write(".dagster/downloads/tdx/day.zip", "x")
    project.write(".dagster/service.env", 'MYSTOCKS_API_TOKEN="secret"\n')
    project.write("notes/plan.md", "x")
    shutil.copytree(project.root / "data", project.root / "demo" / "lake")
    (project.root / "linked").symlink_to(tmp_path)
    told = cli("backup", str(project.root / "backups" / "one"))
    assert "linked: it is a link to a folder elsewhere" in told
    copied = {
        path.relative_to(project.root / "backups" / "one").as_posix()
        for path in (project.root / "backups" / "one").rglob("*")
        if path.is_file()
    }
    assert {name for name in copied if name.startswith("project/")} == {
        "project/tasks.yaml", "project/dagster.yaml", "project/workspace.yaml", "project/notes/plan.md",
    }  # fmt: skip
    assert not [
        name for name in copied if "secret" in name or name.endswith((".lock", "ui.json", "day.zip", "service.env"))
    ]
    # A second one does not hold the first.
    cli("backup", str(project.root / "backups" / "two"))
    assert not (project.root / "backups" / "two" / "project" / "backups").exists()


def test_only_its_user_can_enter_a_backup(project: Folder, cli: Commands, tmp_path: Path) -> None:
    cli("backup", str(tmp_path / "backup"))
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0


def test_a_task_file_elsewhere_comes_with_its_folders(
    project: Folder, cli: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = tmp_path / "team"
    (team / "datasets").mkdir(parents=True)
    (team / "tasks.yaml").write_text(TASKS, encoding="utf-8")
    (team / "datasets" / "ours.yaml").write_text("table: ours\n", encoding="utf-8")
    (team / "private.txt").write_text("x", encoding="utf-8")
    monkeypatch.setenv("MYSTOCKS_TASKS", str(team / "tasks.yaml"))
    cli("backup", str(tmp_path / "backup"))
    copied = {
        path.relative_to(tmp_path / "backup" / "tasks").as_posix()
        for path in (tmp_path / "backup" / "tasks").rglob("*")
        if path.is_file()
    }
    assert copied == {"tasks.yaml", "datasets/ours.yaml"}


def test_another_storage_than_the_two_is_refused_with_the_way_round(
    project: Folder, cli: Commands, tmp_path: Path
) -> None:
    path = project.root / "dagster.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("  sqlite:\n    base_dir: .dagster\n", "  mysql:\n    mysql_url: mysql://u@h/d\n"),
        encoding="utf-8",
    )
    told = cli("backup", str(tmp_path / "backup"), code=1)
    assert "neither SQLite" in told
    assert "--no-history" in told
    cli("backup", str(tmp_path / "backup"), "--no-history")
    assert not (tmp_path / "backup" / "instance" / "history").exists()


def test_a_folder_without_a_project_is_not_copied(folder: Folder, cli: Commands, tmp_path: Path) -> None:
    assert "no project here" in cli("backup", str(tmp_path / "backup"), code=1)
    assert not (tmp_path / "backup").exists()


def test_a_file_that_may_not_be_read_is_named(project: Folder, cli: Commands, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    secret = project.write("secret.txt", "x")
    secret.chmod(0)
    assert "secret.txt cannot be copied: Permission denied" in cli("backup", str(tmp_path / "backup"), code=1)


def test_a_backup_of_the_demo_does_not_hold_the_real_lake(project: Folder, cli: Commands, tmp_path: Path) -> None:
    shutil.copytree(project.root / "data", project.root / "demo" / "lake")
    cli("--demo", "backup", str(tmp_path / "backup"))
    assert not (tmp_path / "backup" / "project" / "data").exists()
    assert (tmp_path / "backup" / "lake" / "daily_bars").is_dir()
