"""A lake filled from nothing, also by runs that are killed at random points."""

import dataclasses
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from standin.tdx import ACTIONS, ARCHIVE, TdxServer, actions_zip, zipped
from support.tdx_archive import day_file, record, write_client, write_zip

from mystocks_dagster.errors import InvalidParams, SourceError
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.bootstrap import BootstrapParams, bootstrap_market
from mystocks_dagster.tasks.run import TaskResult, TaskRun

pytestmark = pytest.mark.slow

FIRST, LAST = date(2022, 1, 1), date(2025, 4, 7)
NAMES = ("sh600000", "sz000001", "sz300750")
#: Runs `bootstrap_market` in a process that kills itself at its n-th commit, before it or right after it; within its
#: n-th Parquet file; or between its n-th set of files and their commit.
KILLED = """
import logging, os, signal, sys
from mystocks_dagster.lake import data_files, delta, replacement, writing
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.bootstrap import BootstrapParams, bootstrap_market
from mystocks_dagster.tasks.run import TaskRun

number, where, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
count = 0

def killing(real, before=None, after=None):
    def call(*arguments, **named):
        global count
        count += 1
        if before is not None and count == number:
            before(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if after and count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

def write_half(uri, path, rows):
    size = data_files_write(uri, path, rows)
    os.truncate(os.path.join(uri, path), size // 2)

data_files_write = data_files._write
if where == "file":
    data_files._write = killing(data_files._write, before=write_half)
elif where == "files":
    replacement.commit_files = killing(replacement.commit_files, before=lambda *_: None)
else:
    delta.commit = killing(delta.commit, before=None if where == "after" else lambda *_: None, after=where == "after")
run = TaskRun(task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=logging.getLogger("task"),
              report_progress=lambda *_: None)
bootstrap_market(BootstrapParams(folder=folder, years=4), run)
"""


def archive_files() -> dict[str, bytes]:
    days = [day.year * 10000 + day.month * 100 + day.day for day in shanghai().sessions(FIRST, LAST)]
    walk = random.Random(7)
    files = {}
    for name in NAMES:
        close, rows = 1000, []
        for day in days:
            close = max(300, round(close * (1 + walk.uniform(-0.03, 0.03))))
            rows.append(record(day, close))
        files[f"{name}.day"] = day_file(rows)
    return files


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of three stocks over four calendar years, and one corporate action beside it."""
    folder = tmp_path_factory.mktemp("archive")
    # Shanghai, 5.00 CNY in cash for ten shares.
    (folder / "gbbq.zip").write_bytes(actions_zip([(1, "600000", 20230605, 1, 5.0, 0.0, 0.0, 0.0)], ""))
    return write_zip(folder / "hsjday.zip", archive_files())


@pytest.fixture
def bootstrap(computing: TaskRun) -> Callable[..., TaskResult]:
    """Run the task in this process."""
    return lambda **params: bootstrap_market(BootstrapParams(**params), computing)


def contents(lake: Lake) -> dict[str, pl.DataFrame]:
    """Return the rows of all tables, without the time at which they were loaded; the state names versions of tables."""
    moments = ("loaded_at", "set_aside_at", "updated_at")
    frames = {info.table: lake.read(info.table) for info in lake.tables() if info.table != "indicator_state"}
    return {
        name: frame.drop(*moments, strict=False).select(pl.all()).sort(pl.all(), nulls_last=True)
        for name, frame in frames.items()
    }


def test_from_nothing_to_signals(bootstrap: Callable[..., TaskResult], archive: Path, lake: Lake):
    result = bootstrap(folder=str(archive), years=4)
    days = shanghai().sessions(FIRST, LAST)
    assert result.status == "success"
    assert result.metadata["source"] == "tdx"
    assert lake.days("daily_bars") == days
    assert lake.read("indicators_daily").height == 3 * len(days)
    assert lake.exists("signals")
    assert lake.read("adjust_events").select("symbol", "date").rows() == [("600000.SH", date(2023, 6, 5))]


def test_years_are_counted_back_from_the_newest_day(bootstrap: Callable[..., TaskResult], archive: Path, lake: Lake):
    bootstrap(folder=str(archive), years=1, indicators=False)
    assert lake.days("daily_bars") == shanghai().sessions(date(2024, 4, 7), LAST)
    bootstrap(folder=str(archive), years=2, indicators=False)
    assert lake.days("daily_bars") == shanghai().sessions(date(2023, 4, 7), LAST)


def test_killed_at_random_points_it_ends_as_an_undisturbed_run_does(
    bootstrap: Callable[..., TaskResult], archive: Path, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bootstrap(folder=str(archive), years=4)
    undisturbed = contents(lake)
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "disturbed"))
    seed = random.randrange(2**32)
    points, killed = random.Random(seed), 0
    for kind in points.sample(["before", "after", "file", "files"], 4):
        where = [str(points.randint(1, 4)), kind]
        child = subprocess.run([sys.executable, "-c", KILLED, *where, str(archive)], timeout=120, check=False)
        killed += child.returncode == -signal.SIGKILL
    assert killed >= 3, f"seed {seed}"
    last = subprocess.run([sys.executable, "-c", KILLED, "0", "before", str(archive)], timeout=120, check=False)
    assert last.returncode == 0, f"seed {seed}"
    disturbed = contents(Lake(str(tmp_path / "disturbed")))
    assert disturbed.keys() == undisturbed.keys(), f"seed {seed}"
    for name, frame in undisturbed.items():
        assert frame.equals(disturbed[name]), f"{name}, seed {seed}"


def test_the_folder_of_an_installed_client_is_recognised(
    bootstrap: Callable[..., TaskResult], lake: Lake, tmp_path: Path
):
    client = write_client(tmp_path / "new_tdx", archive_files())
    result = bootstrap(folder=str(client.parent), years=1, indicators=False)
    assert result.metadata["source"] == "tdx"
    assert lake.read("daily_bars")["symbol"].n_unique() == 3
    # Nothing beside it states corporate actions.
    assert (result.status, result.failed_items) == ("partial_success", ("corporate_actions",))
    assert "prices cannot be adjusted" in result.message


def test_corporate_actions_that_come_later_repair_the_previous_closes(
    bootstrap: Callable[..., TaskResult],
    archive: Path,
    computing: TaskRun,
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    ex_day, late = date(2023, 6, 5), tmp_path / "late"
    late.mkdir()
    (late / "hsjday.zip").write_bytes((archive.parent / "hsjday.zip").read_bytes())
    bootstrap(folder=str(late / "hsjday.zip"), years=2, indicators=False)
    without = lake.read("daily_bars", symbols=["600000.SH"], start=ex_day, end=ex_day)
    assert (without["actions_known"].item(), lake.read("adjust_events").height) == (False, 0)

    (late / "gbbq.zip").write_bytes((archive.parent / "gbbq.zip").read_bytes())
    params = BootstrapParams(folder=str(late / "hsjday.zip"), years=2, indicators=False)
    assert "previous closes were computed" in bootstrap_market(params, computing).message
    repaired = lake.read("daily_bars", symbols=["600000.SH"], start=ex_day, end=ex_day)
    assert repaired["prev_close"].item() == pytest.approx(without["prev_close"].item() - 0.5)  # 5.00 CNY for ten shares
    # The first stored bar of a stock has none before it.
    assert lake.read("daily_bars", start=lake.days("daily_bars")[1])["actions_known"].all()

    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "from_the_start"))
    bootstrap_market(params, dataclasses.replace(computing, settings=Settings.from_env()))
    from_the_start = Lake(str(tmp_path / "from_the_start"))
    for table, columns in (("daily_bars", ["symbol", "date", "prev_close"]), ("adjust_events", None)):
        expected, rows = (each.read(table, columns=columns).sort("symbol", "date") for each in (from_the_start, lake))
        assert rows.equals(expected), table


def test_an_archive_of_ones_own_files_is_recognised(bootstrap: Callable[..., TaskResult], lake: Lake, tmp_path: Path):
    columns = "date,symbol,open,high,low,close,prev_close,volume,amount,suspended\n"
    rows = "".join(f"2025-03-0{day},600000.SH,10,10.1,9.9,10,10,1000,10000,false\n" for day in (3, 4))
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "daily_bars.csv").write_text(columns + rows)
    result = bootstrap(folder=str(folder), years=1, indicators=False)
    assert result.metadata["source"] == "recorded"
    assert lake.read("daily_bars").height == 2


def test_a_folder_without_bars_is_refused(bootstrap: Callable[..., TaskResult], tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidParams, match=r"holds neither \.day files"):
        bootstrap(folder=str(tmp_path / "empty"))


def test_a_source_of_the_present_is_refused(bootstrap: Callable[..., TaskResult]):
    with pytest.raises(InvalidParams, match="akshare has only the market's present"):
        bootstrap(data_source="akshare")


def test_without_a_source_that_answers_each_reason_is_named(computing: TaskRun):
    settings = dataclasses.replace(computing.settings, upstream="http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"tdx: .*cannot be reached"):
        bootstrap_market(BootstrapParams(), dataclasses.replace(computing, settings=settings))


def test_the_quickest_source_is_named_and_why_not_the_others(computing: TaskRun, archive: Path):
    settings = dataclasses.replace(computing.settings, source_options={"tdx": str(archive)})
    result = bootstrap_market(
        BootstrapParams(years=1, indicators=False), dataclasses.replace(computing, settings=settings)
    )
    assert result.metadata["source"] == "tdx"


def test_the_simulated_market_fills_a_lake_too(computing: TaskRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    options = {"simulated": "symbols=20,start=2024-01-02"}
    settings = dataclasses.replace(computing.settings, source="simulated", source_options=options)
    result = bootstrap_market(BootstrapParams(years=1), dataclasses.replace(computing, settings=settings))
    assert result.status in ("success", "partial_success")
    assert result.rows["daily_bars"] > 20 * 200


@pytest.fixture
def downloading(computing: TaskRun, tmp_path: Path) -> Iterator[tuple[TdxServer, TaskRun]]:
    """A stand-in for 通达信's hosts, and a run that asks it."""
    with TdxServer() as server:
        server.files[ARCHIVE] = zipped(archive_files())
        server.files[ACTIONS] = actions_zip([(1, "600000", 20230605, 1, 5.0, 0.0, 0.0, 0.0)], "")
        settings = dataclasses.replace(computing.settings, upstream=server.address, dagster_home=tmp_path / "home")
        yield server, dataclasses.replace(computing, settings=settings)


def test_from_the_network_everything_is_downloaded_once(downloading: tuple[TdxServer, TaskRun]):
    server, run = downloading
    first = bootstrap_market(BootstrapParams(years=2, indicators=False), run)
    assert first.metadata["source"] == "tdx"
    assert first.rows["daily_bars"] == 3 * len(shanghai().sessions(date(2023, 4, 7), LAST))
    assert server.paths().count("hsjday.zip") == 1
    server.asked.clear()
    second = bootstrap_market(BootstrapParams(years=4, indicators=False), run)
    assert second.rows["daily_bars"] == 3 * len(shanghai().sessions(FIRST, date(2023, 4, 6)))
    assert "hsjday.zip" not in server.paths()


def test_a_download_that_ends_early_is_continued_where_it_ended(downloading: tuple[TdxServer, TaskRun]):
    server, run = downloading
    server.fault("cut", ARCHIVE, 5000, times=1)
    bootstrap_market(BootstrapParams(years=1, indicators=False), run)
    spans = [span for _, path, span in server.asked if path == ARCHIVE]
    assert spans == ["", "bytes=5000-"]
