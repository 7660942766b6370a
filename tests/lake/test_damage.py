"""Lost, cut and altered files: one error that names the file, and the way back that it names works."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mystocks_dagster.errors import LakeError, TableDamaged, UnknownName
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.restore import move_away, restore
from mystocks_dagster.lake.restore import versions as earlier
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING, stale_since, versions, watermarks
from mystocks_dagster.market.tables import TABLES

pytestmark = pytest.mark.slow

FIRST = date(2025, 1, 1)
#: So many versions that there is a checkpoint, of version 20.
DAYS = 23


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, make_bars) -> Path:
    """A table with a version a day, the last ones after a checkpoint."""
    lake = Lake(str(tmp_path_factory.mktemp("damage") / "lake"), "real")
    for n in range(DAYS):
        day = FIRST + timedelta(n)
        lake.replace_days("daily_bars", make_bars(day, 2), [day])
        if n == DAYS - 2:
            record_days(lake, "daily_bars", {FIRST + timedelta(k): 2 for k in range(n + 1)}, source="test")
    record_days(lake, "daily_bars", {FIRST + timedelta(DAYS - 1): 2}, source="test")
    assert Path(lake.location, "daily_bars/_delta_log", f"{20:020}.checkpoint.parquet").exists()
    return Path(lake.location)


@pytest.fixture
def lake(written: Path, tmp_path: Path) -> Lake:
    shutil.copytree(written, tmp_path / "lake")
    return Lake(str(tmp_path / "lake"), "real")


def commit(lake: Lake, version: int) -> Path:
    return Path(lake.location, "daily_bars", "_delta_log", f"{version:020}.json")


def checkpoint(lake: Lake) -> Path:
    return Path(lake.location, "daily_bars", "_delta_log", f"{20:020}.checkpoint.parquet")


def data(lake: Lake) -> Path:
    """Return the file that the last version added."""
    files = Path(lake.location, "daily_bars", "year=2025").glob("*.parquet")
    return max(files, key=lambda path: path.stat().st_mtime_ns)


def cut(path: Path, keep: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


def flip(path: Path, at: float = 0.5) -> Path:
    content = bytearray(path.read_bytes())
    start = int(len(content) * at)
    content[start : start + 8] = bytes(byte ^ 0xFF for byte in content[start : start + 8])
    path.write_bytes(content)
    return path


def lose(path: Path) -> Path:
    path.unlink()
    return path


def cut_between_lines(path: Path) -> Path:
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    return path


#: What happened to the newest version: everything before it can be had again.
LAST = {
    "data file lost": lambda lake: lose(data(lake)),
    "data file of zero bytes": lambda lake: cut(data(lake), 0),
    "data file cut": lambda lake: cut(data(lake)),
    "data file altered at its beginning": lambda lake: flip(data(lake), 0.002),
    "data file altered in the middle": lambda lake: flip(data(lake)),
    "data file altered near its end": lambda lake: flip(data(lake), 0.85),
    "commit cut": lambda lake: cut(commit(lake, DAYS)),
    "commit cut between two lines": lambda lake: cut_between_lines(commit(lake, DAYS)),
    "commit of zero bytes": lambda lake: cut(commit(lake, DAYS), 0),
    "commit altered": lambda lake: flip(commit(lake, DAYS)),
}
#: Damage to what stands further back.
BACK = {
    "commit lost": (lambda lake: lose(commit(lake, DAYS - 1)), DAYS - 2),
    "checkpoint lost": (lambda lake: lose(checkpoint(lake)), 19),
    "checkpoint cut": (lambda lake: cut(checkpoint(lake)), 19),
    "checkpoint of zero bytes": (lambda lake: cut(checkpoint(lake), 0), 19),
}
USES: dict[str, Callable[[Lake, Callable], object]] = {
    "read": lambda lake, bars: lake.read("daily_bars"),
    "scan": lambda lake, bars: lake.head("daily_bars"),
    "query": lambda lake, bars: lake.query("SELECT * FROM daily_bars"),
    "upsert": lambda lake, bars: lake.upsert("daily_bars", bars(FIRST + timedelta(DAYS - 1), 2)),
    "compact": lambda lake, bars: lake.compact("daily_bars"),
}


@pytest.mark.parametrize("kind", [*LAST, *BACK])
def test_a_damaged_file_is_named_by_every_use_of_the_table(lake, make_bars, kind):
    file = (LAST.get(kind) or BACK[kind][0])(lake)
    for use in USES.values():
        with pytest.raises(TableDamaged) as raised:
            use(lake, make_bars)
        assert f"The table daily_bars in {lake.location}/daily_bars is damaged: {file}" in str(raised.value)
        assert str(raised.value).endswith(": mystocks data restore daily_bars")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [*LAST, *BACK])
def test_the_newest_whole_version_of_the_list_can_be_restored_and_written_to(lake, make_bars, kind):
    damage, expected = BACK.get(kind, (LAST.get(kind), DAYS - 1))
    damage(lake)
    listed = earlier(lake, "daily_bars")
    assert listed[0].damage
    newest = next(one for one in listed if not one.damage)
    assert newest.number == expected

    done = restore(lake, "daily_bars", newest.number)
    # Version 0 is the empty table, and each one after it adds a day.
    last = FIRST + timedelta(expected - 1)
    assert done.rows == 2 * expected
    assert lake.days("daily_bars")[-1] == last
    assert not [one.trouble for one in lake.tables() if one.trouble]
    # What was loaded after that version is asked for again; what is there is not.
    lost = [FIRST + timedelta(n) for n in range(expected, DAYS)]
    assert set(lost) <= set(done.days)
    assert not set(lost) & set(complete_days(lake, "daily_bars"))
    again = FIRST + timedelta(DAYS)
    lake.replace_days("daily_bars", make_bars(again, 2), [again])
    lake.compact()
    assert lake.read("daily_bars").height == 2 * (expected + 1)


def test_a_version_that_needs_the_damaged_file_is_refused(lake):
    lose(data(lake))
    with pytest.raises(TableDamaged, match=rf"Version {DAYS} of daily_bars cannot be restored: .*parquet is missing"):
        restore(lake, "daily_bars", DAYS)


def test_a_time_means_the_last_version_written_until_then(lake):
    listed = earlier(lake, "daily_bars")
    assert restore(lake, "daily_bars", listed[3].written).version == listed[3].number
    with pytest.raises(UnknownName, match=r"daily_bars has no version of 1999-01-01T00:00:00.* or before"):
        restore(lake, "daily_bars", datetime(1999, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")))
    with pytest.raises(UnknownName, match="daily_bars has no version 4711; its versions are 0 to 24"):
        restore(lake, "daily_bars", 4711)


@pytest.mark.parametrize("kind", ["folder", "its files"])
def test_without_its_log_a_table_is_damaged_and_not_missing(lake, make_bars, kind):
    log = Path(lake.location, "daily_bars", "_delta_log")
    shutil.rmtree(log)
    if kind == "its files":
        log.mkdir()
    for use in USES.values():
        with pytest.raises(TableDamaged, match="_delta_log is missing"):
            use(lake, make_bars)
    with pytest.raises(TableDamaged, match="_delta_log is missing"):
        lake.replace_days("daily_bars", make_bars(FIRST), [FIRST])
    assert earlier(lake, "daily_bars") == []

    done = move_away(lake, "daily_bars")
    assert Path(done.aside).parent == Path(lake.location, "damaged")
    assert len(list(Path(done.aside).rglob("*.parquet"))) == DAYS
    assert complete_days(lake, "daily_bars") == {}
    lake.replace_days("daily_bars", make_bars(FIRST), [FIRST])
    assert lake.read("daily_bars").height == 3


KILLED = """
import os, signal, sys
from datetime import date
import polars as pl
from mystocks_dagster.lake import replacement
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES

def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)  # the files are written, and nothing is committed

replacement.commit_files = killed
values = {"symbol": ["600000.SH"], "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0}
values |= {"volume": 1, "amount": 1.0, "suspended": False}
values |= {"date": date(2025, 1, 1), "prev_close": None, "turnover": None, "is_st": None, "actions_known": None}
frame = pl.DataFrame(values, schema=TABLES["daily_bars"].dtypes)
Lake(sys.argv[1], "real").replace_days("daily_bars", frame, [date(2025, 1, 1)])
"""


def test_whether_a_table_exists_is_answered_without_importing_pyarrow(tmp_path: Path) -> None:
    """It took 60 MB in each server of a lake that has no tables yet."""
    code = (
        "import sys; from mystocks_dagster.lake.store import Lake\n"
        "print(Lake(sys.argv[1], 'real').exists('daily_bars'), 'pyarrow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


def test_a_first_write_that_was_killed_is_no_damage_and_is_done_again(tmp_path, make_bars):
    lake = Lake(str(tmp_path / "lake"), "real")
    ended = subprocess.run([sys.executable, "-c", KILLED, lake.location], timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert list(Path(lake.location, "daily_bars").rglob("*.parquet"))
    assert lake.days("daily_bars") == []
    assert [one.trouble for one in lake.tables()] == [""]
    lake.replace_days("daily_bars", make_bars(FIRST), [FIRST])
    assert lake.read("daily_bars").height == 3


def test_a_damaged_table_does_not_keep_others_from_being_used(lake, make_bars):
    cut(commit(lake, DAYS))
    assert lake.read("loaded_days").height == DAYS
    assert lake.query("SELECT count(*) AS n FROM loaded_days").item() == DAYS
    assert {one.table: bool(one.trouble) for one in lake.tables()} == {"daily_bars": True, "loaded_days": False}
    assert lake.stored_world() == "real"


def test_what_was_computed_is_computed_again_after_it_was_restored(lake):
    lake.replace_all(
        "signals", TABLES["signals"].empty(), watermarks=watermarks(["ma"], versions(lake, ["daily_bars"]))
    )
    lake.replace_all(
        "signals", TABLES["signals"].empty(), watermarks=watermarks(["ma"], versions(lake, ["daily_bars"]))
    )
    assert stale_since(lake, "signals", ["ma"], versions(lake, ["daily_bars"])) is None
    restore(lake, "signals", 1)
    assert stale_since(lake, "signals", ["ma"], versions(lake, ["daily_bars"])) == BEGINNING
    lake.set_watermarks("signals", watermarks(["ma"], versions(lake, ["daily_bars"])))
    assert stale_since(lake, "signals", ["ma"], versions(lake, ["daily_bars"])) is None


def test_a_lake_under_a_url_is_told_of_in_the_same_way(lake, make_bars):
    there = Lake(Path(lake.location).as_uri(), "real")
    assert there.read("daily_bars").height == 2 * DAYS
    file = lose(data(lake))
    with pytest.raises(TableDamaged, match=file.name):
        there.read("daily_bars")
    assert restore(there, "daily_bars", DAYS - 1).rows == 2 * (DAYS - 1)


def test_a_table_that_cannot_be_moved_from_here_is_said_so(lake):
    with pytest.raises(LakeError, match="with the tools of your object store"):
        move_away(Lake("s3://bucket/lake"), "daily_bars")
