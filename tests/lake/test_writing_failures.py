"""A folder that cannot be used and a disk that is full: one clear message, and the table as it was before."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mystocks_dagster.errors import LakeUnavailable, LakeUnusable
from mystocks_dagster.lake.delta import to_lake_error
from mystocks_dagster.lake.store import Lake

JAN2, JAN3 = date(2025, 1, 2), date(2025, 1, 3)

# What the tests below do to a lake happens in a process of its own, whose limits and rights can be cut.
ACT = """
import os, resource, signal, sys
from datetime import date

import numpy as np
import polars as pl
import pyarrow  # before the rights are cut, which may hide this environment

from mystocks_dagster.errors import LakeUnavailable, LakeUnusable
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS

location, limit, what = sys.argv[1:]
lake = Lake(location, "real")
rows = 20_000
noise = np.random.default_rng(7).uniform(1, 100, rows)
frame = pl.DataFrame({"symbol": [f"{n:06d}.SH" for n in range(rows)], "open": noise}).with_columns(
    pl.lit(date(2025, 1, 3)).alias("date"),
    *(pl.col("open").alias(name) for name in ("high", "low", "close", "prev_close", "amount", "turnover")),
    pl.lit(1).alias("volume"), pl.lit(False).alias("is_st"), pl.lit(False).alias("suspended"),
)
frame = DAILY_BARS.typed(frame)
if limit == "size":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
if limit == "rights" and os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    if what == "read":
        print(lake.read("daily_bars").height)
    else:
        print(lake.replace_days("daily_bars", frame, [date(2025, 1, 3)]))
except LakeUnavailable as error:
    print(error)
    sys.exit(3)
"""


def act(lake: Lake, limit: str, what: str) -> str:
    """Read or write as another process; return the message of the LakeUnavailable that it must raise."""
    done = subprocess.run(
        [sys.executable, "-c", ACT, lake.location, limit, what], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.count("\n") == 1
    return done.stdout


@pytest.fixture
def filled(make_bars) -> Iterator[Lake]:
    """A lake that other users may reach: pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lake = Lake(f"{folder}/lake", "real")
        for day in (JAN2, JAN3):
            lake.replace_days("daily_bars", make_bars(day), [day])
        yield lake


def test_a_full_disk_is_said_in_one_line_and_the_table_is_as_before(filled):
    before = filled.read("daily_bars").sort("date", "symbol")
    assert "daily_bars cannot be used: the disk is full. The table is unchanged. Free disk space" in act(
        filled, "size", "write"
    )
    assert filled.read("daily_bars").sort("date", "symbol").equals(before)
    assert [info.rows for info in filled.tables()] == [6]


def test_a_folder_that_may_not_be_read_is_named_with_the_remedy(filled):
    folder = Path(filled.location)
    folder.chmod(0o000)
    try:
        assert "daily_bars cannot be used: this user may not read or write the folder" in act(filled, "rights", "read")
    finally:
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_named_with_the_remedy(filled):
    before = filled.read("daily_bars").sort("date", "symbol")
    folders = [path for path in (Path(filled.location), *Path(filled.location).rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert "this user may not read or write the folder. Change its permissions, or set MYSTOCKS_LAKE" in act(
            filled, "rights", "write"
        )
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert filled.read("daily_bars").sort("date", "symbol").equals(before)


def test_a_read_only_file_system_is_not_called_a_matter_of_permissions():
    """The text is delta-rs's own, from a lake under a read-only mount."""
    line = "Generic LocalFileSystem error: Unable to open file /mnt/lake/a: Read-only file system (os error 30)"
    error = to_lake_error("/mnt/lake/stocks", OSError(line))
    assert isinstance(error, LakeUnusable)
    assert "/mnt/lake/stocks cannot be used: its file system is read-only. Mount it for writing" in str(error)


def test_a_lake_that_is_a_file_is_named(tmp_path, make_bars):
    (tmp_path / "lake").write_text("no folder", encoding="utf-8")
    lake = Lake(str(tmp_path / "lake"), "real")
    for use in (
        lambda: lake.replace_days("daily_bars", make_bars(JAN2), [JAN2]),
        lake.tables,
        lambda: lake.read("daily_bars"),
    ):
        with pytest.raises(LakeUnavailable, match=r"lake/\w+ cannot be used: .*Not a directory.*Check MYSTOCKS_LAKE"):
            use()


def test_what_a_person_must_change_is_not_tried_again(tmp_path, make_bars):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    for location in (tmp_path / "file", tmp_path / ("n" * 300), tmp_path / "50%ab"):
        with pytest.raises(LakeUnusable) as raised:
            Lake(str(location), "real").replace_days("daily_bars", make_bars(JAN2), [JAN2])
        assert not raised.value.retryable
