"""What the clean-up removes, what it keeps, and what it refuses to touch."""

import logging
import os
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from deltalake import DeltaTable

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.schemas import LOADED_DAYS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.maintenance import CleanupParams, cleanup_cache_data
from mystocks_dagster.tasks.run import TaskRun

NOW = datetime(2025, 4, 7, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "tasks.yaml").write_text("tasks: []\n")
    return tmp_path / "project"


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    monkeypatch.setenv("MYSTOCKS_NOW", NOW.isoformat())
    common = {"task_id": "t", "run_id": "r", "attempt": 1, "logger": logging.getLogger("test"), "report_progress": lambda *_: None}
    return TaskRun(settings=Settings.from_env(root), **common)  # ty: ignore[invalid-argument-type]


def put(path: Path, *, days: float, size: int = 10) -> Path:
    """Write a file that last changed so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    stamp = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (stamp, stamp))
    return path


def test_old_files_of_the_cache_go_and_new_ones_stay(run: TaskRun, root: Path) -> None:
    cache = root / ".dagster" / "cache"
    old, deep = put(cache / "old", days=31, size=70), put(cache / "a" / "b" / "deep", days=400, size=30)
    young = put(cache / "c" / "young", days=29)
    result = cleanup_cache_data(CleanupParams(retention_days=30), run)
    assert result.status == "success"
    assert (result.metadata["files"], result.metadata["bytes"]) == (2, 100)
    assert not old.exists()
    assert not deep.parent.parent.exists()  # folders that it has emptied go too
    assert young.exists()
    assert cache.exists()


def test_a_folder_that_does_not_exist_is_nothing_to_do(run: TaskRun) -> None:
    assert cleanup_cache_data(CleanupParams(cleanup_paths=["tmp/none"]), run).metadata["files"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "..",
        "../other",
        "tmp/../../other",
        ".",
        "",
        "data",
        "data/daily_bars",
        ".dagster",
        ".dagster/storage",
        ".git",
        "mystocks_dagster/tasks",
    ],
)
def test_what_lies_outside_or_must_be_kept_is_refused_before_anything_goes(path: str, run: TaskRun, root: Path) -> None:
    old = put(root / "tmp" / "old", days=99)
    with pytest.raises(InvalidParams, match="cleanup_paths"):
        cleanup_cache_data(CleanupParams(cleanup_paths=["tmp", path]), run)
    assert old.exists()


def test_a_folder_around_the_lake_or_the_task_file_is_refused(run: TaskRun, root: Path) -> None:
    settings = replace(run.settings, lake=str(root / "var" / "lake"), task_file=root / "config" / "tasks.yaml")
    for path in ("var", "config"):
        with pytest.raises(InvalidParams, match="is kept"):
            cleanup_cache_data(CleanupParams(cleanup_paths=[path]), replace(run, settings=settings))


def test_links_are_neither_followed_nor_removed(run: TaskRun, root: Path, tmp_path: Path) -> None:
    treasure = put(tmp_path / "elsewhere" / "treasure", days=99)
    stamp = treasure.stat().st_mtime
    (root / "tmp").mkdir()
    (root / "tmp" / "folder").symlink_to(treasure.parent)
    (root / "tmp" / "file").symlink_to(treasure)
    os.utime(root / "tmp" / "file", (stamp, stamp), follow_symlinks=False)
    assert cleanup_cache_data(CleanupParams(cleanup_paths=["tmp"]), run).metadata["files"] == 0
    assert treasure.exists()
    assert (root / "tmp" / "file").is_symlink()


def test_a_path_through_a_link_is_refused_and_a_linked_cache_left_alone(run: TaskRun, root: Path, tmp_path: Path) -> None:
    treasure = put(tmp_path / "elsewhere" / "treasure", days=99)
    (root / "tmp").symlink_to(treasure.parent)
    (root / ".dagster").mkdir()
    (root / ".dagster" / "cache").symlink_to(treasure.parent)
    with pytest.raises(InvalidParams, match="symbolic link"):
        cleanup_cache_data(CleanupParams(cleanup_paths=["tmp"]), run)
    assert cleanup_cache_data(CleanupParams(), run).metadata["files"] == 0
    assert treasure.exists()


def test_dagsters_home_elsewhere_has_its_own_cache_cleaned(run: TaskRun, tmp_path: Path) -> None:
    old = put(tmp_path / "dagster" / "cache" / "old", days=99)
    cleanup_cache_data(CleanupParams(), replace(run, settings=replace(run.settings, dagster_home=tmp_path / "dagster")))
    assert not old.exists()


def test_the_lakes_small_files_become_few_and_no_row_is_lost(run: TaskRun) -> None:
    lake = run.lake("real")
    for n in range(6):
        row = {"table": "t", "date": date(2025, 4, 1) + timedelta(days=n), "rows": n, "complete": True, "source": "s", "loaded_at": NOW}
        lake.upsert("loaded_days", pl.DataFrame([row], schema=LOADED_DAYS.dtypes))
    table = f"{lake.location}/loaded_days"
    assert len(DeltaTable(table).file_uris()) == 6
    # What a killed writer left behind; the lake goes by the system's clock.
    orphan = put(Path(table) / "part-00000-left-behind-c000.snappy.parquet", days=400)
    before = lake.read("loaded_days").sort("date")
    assert cleanup_cache_data(CleanupParams(compact_lake=False), run).metadata.get("lake_files") is None
    result = cleanup_cache_data(CleanupParams(), run)
    assert "The lake is compact" in result.message
    assert result.metadata["lake_files"] == 1
    assert not orphan.exists()
    assert lake.read("loaded_days").sort("date").equals(before)
    assert len(DeltaTable(table).file_uris()) == 1
