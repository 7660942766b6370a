"""What the clean-up removes, what it keeps, and what it refuses to touch."""

import logging
import os
import subprocess
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from deltalake import DeltaTable

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.tables.system import LOADED_DAYS
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.reader import check_task_file
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
    common = {
        "task_id": "t",
        "run_id": "r",
        "attempt": 1,
        "logger": logging.getLogger("test"),
        "report_progress": lambda *_: None,
    }
    return TaskRun(settings=Settings.from_env(root), **common)  # ty: ignore[invalid-argument-type]


def put(path: Path, *, days: float, size: int = 10) -> Path:
    """Write a file that last changed so many days ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    stamp = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (stamp, stamp))
    return path


def unchecked(*paths: str) -> CleanupParams:
    """Return params as a started run gets them, whose folders have changed since they were checked."""
    return CleanupParams.model_construct(cleanup_paths=list(paths), retention_days=30, compact_lake=False)


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
        "old",
        "my_tasks",
        "exports",
        "Exports/tmp",
        "docs/cache",
        "/proc/self/root/etc",
        "~",
        "a\0b",
    ],
)
def test_what_lies_outside_or_must_be_kept_is_refused_before_anything_goes(path: str, run: TaskRun, root: Path) -> None:
    old = put(root / "tmp" / "old", days=99)
    with pytest.raises(InvalidParams, match="cleanup_paths"):
        cleanup_cache_data(unchecked("tmp", path), run)
    assert old.exists()


def test_a_folder_around_the_lake_or_the_task_file_is_refused(run: TaskRun, root: Path) -> None:
    settings = replace(run.settings, lake=str(root / "var" / "lake"), task_file=root / "config" / "tasks.yaml")
    for path in ("var", "config"):
        with pytest.raises(InvalidParams, match="is never cleaned"):
            cleanup_cache_data(unchecked(path), replace(run, settings=settings))


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


def test_a_path_through_a_link_is_refused_and_a_linked_cache_left_alone(
    run: TaskRun, root: Path, tmp_path: Path
) -> None:
    treasure = put(tmp_path / "elsewhere" / "treasure", days=99)
    (root / "tmp").symlink_to(treasure.parent)
    (root / ".dagster").mkdir()
    (root / ".dagster" / "cache").symlink_to(treasure.parent)
    with pytest.raises(InvalidParams, match="symbolic link"):
        cleanup_cache_data(unchecked("tmp"), run)
    assert cleanup_cache_data(CleanupParams(), run).metadata["files"] == 0
    assert treasure.exists()
    (tmp_path / "link").symlink_to(treasure.parent)
    with pytest.raises(InvalidParams, match="is not a folder within the project"):  # and nothing of what it is
        cleanup_cache_data(unchecked(str(tmp_path / "link")), run)


def test_a_lake_a_package_and_an_instance_within_a_cache_stay(run: TaskRun, root: Path) -> None:
    kept = [
        put(root / "tmp" / "lake" / "daily_bars" / "part-0.parquet", days=99),
        put(root / "tmp" / "lake" / "daily_bars" / "_delta_log" / "0.json", days=99),
        put(root / "tmp" / "my_tasks" / "__init__.py", days=99),
        put(root / "tmp" / "my_tasks" / "table.csv", days=99),
        put(root / "tmp" / "scripts" / "load.PY", days=99),
        put(root / "tmp" / "home" / "dagster.yaml", days=99),
        put(root / "tmp" / "home" / "storage" / "run.log", days=99),
        put(root / "tmp" / "notes" / "study.ipynb", days=99),
    ]
    gone = put(root / "tmp" / "pages" / "old.html", days=99)
    assert cleanup_cache_data(unchecked("tmp"), run).metadata["files"] == 1
    assert not gone.parent.exists()
    assert all(path.exists() for path in kept)


def test_a_folder_elsewhere_is_cleaned_when_the_setting_lists_it(run: TaskRun, tmp_path: Path) -> None:
    old = put(tmp_path / "elsewhere" / "downloads" / "old", days=99)
    with pytest.raises(InvalidParams, match="MYSTOCKS_CACHES"):
        cleanup_cache_data(unchecked(str(old.parent)), run)
    settings = replace(run.settings, caches=(tmp_path / "elsewhere",))
    assert cleanup_cache_data(unchecked(str(old.parent)), replace(run, settings=settings)).metadata["files"] == 1


def test_the_home_folder_is_never_a_cache(run: TaskRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = put(tmp_path / "somebody" / "cache" / "letter", days=99).parent
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(InvalidParams, match="home folder"):
        cleanup_cache_data(unchecked(str(home)), replace(run, settings=replace(run.settings, caches=(home,))))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_second_mount_of_the_lake_is_the_lake(run: TaskRun, root: Path) -> None:
    old = put(root / "data" / "part", days=99)
    inner, outer = root / "tmp" / "pages" / "lake", root / "tmp" / "lake"
    for mount in (inner, outer):
        mount.mkdir(parents=True)
        if subprocess.run(["mount", "--bind", root / "data", mount], capture_output=True, check=False).returncode:
            pytest.skip("this machine mounts nothing")
    try:
        with pytest.raises(InvalidParams, match="is never cleaned"):
            cleanup_cache_data(unchecked("tmp/lake"), run)
    finally:
        for mount in (inner, outer):
            subprocess.run(["umount", mount], check=True)
    assert old.exists()


def test_a_clean_up_path_outside_is_said_by_check(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    text = """\
tasks:
  - task_id: wipe_cache
    task_type: cron
    task_module: app.tasks.maintenance
    task_function: cleanup_cache_data
    schedule: {schedule_type: cron, cron_expression: "0 0 1 * *"}
    params:
      cleanup_paths:
        - tmp
        - "/var/cache/elsewhere"
"""
    (root / "tasks.yaml").write_text(text, encoding="utf-8")
    (problem,) = check_task_file(root / "tasks.yaml")
    assert (problem.line, problem.column) == (10, 11)
    assert "is not a folder within the project" in problem.message
    assert "MYSTOCKS_CACHES" in problem.message


def test_dagsters_home_elsewhere_has_its_own_cache_cleaned(run: TaskRun, tmp_path: Path) -> None:
    old = put(tmp_path / "dagster" / "cache" / "old", days=99)
    cleanup_cache_data(CleanupParams(), replace(run, settings=replace(run.settings, dagster_home=tmp_path / "dagster")))
    assert not old.exists()


def test_the_lakes_small_files_become_few_and_no_row_is_lost(run: TaskRun) -> None:
    lake = run.lake("real")
    for n in range(6):
        row = {
            "table": "t",
            "date": date(2025, 4, 1) + timedelta(days=n),
            "rows": n,
            "complete": True,
            "source": "s",
            "loaded_at": NOW,
        }
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
