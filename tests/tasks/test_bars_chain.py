"""Bars from several sources: an archive, and akshare against the stand-in; each is asked for what is missing."""

import logging
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from standin.market import Market
from standin.server import StandIn

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.lake.loads import load_entries
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.data_sync import DailySync, sync_daily_stock_data
from mystocks_dagster.tasks.run import TaskResult, TaskRun

pytestmark = pytest.mark.slow

MONDAY = date(2025, 4, 7)
FRIDAY_BEFORE = date(2025, 4, 3)  # Friday the 4th was a holiday
MARKET = Market.small(MONDAY)
SYMBOLS = MARKET.bars["symbol"].unique().sort().to_list()

Load = Callable[..., TaskResult]


@pytest.fixture(scope="module")
def server() -> Iterator[StandIn]:
    with StandIn(MARKET) as server:
        yield server


@pytest.fixture
def standin(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    server.reset(MARKET)
    monkeypatch.setenv("MYSTOCKS_UPSTREAM", server.address)
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return server


@pytest.fixture
def lake(standin: StandIn, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def load(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that loads `days` (or all) from an archive of `bars` and the live source, in this order."""
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))

    def run(bars: pl.DataFrame, *days: date, sources: object = ("recorded", "akshare"), **params: object) -> TaskResult:
        bars.write_parquet(folder / "daily_bars.parquet")
        given = {"data_source": sources, "include_basic": False, **params}
        logger, settings = logging.getLogger("task"), Settings.from_env()
        task = TaskRun(
            task_id="daily",
            run_id="run",
            attempt=1,
            settings=settings,
            logger=logger,
            report_progress=lambda *_: None,
            days=days,
        )
        return sync_daily_stock_data(DailySync.model_validate(given), task)

    return run


def bars_of(first: date, last: date = MONDAY) -> pl.DataFrame:
    return MARKET.bars.filter(pl.col("date").is_between(first, last))


def stored(lake: Lake, day: date) -> pl.DataFrame:
    return lake.read("daily_bars", start=day, end=day).sort("symbol").select(list(DAILY_BARS.dtypes))


def givers(lake: Lake) -> dict[date, str]:
    return dict(load_entries(lake, "daily_bars").sort("date").select("date", "source").iter_rows())


def snapshot_pages(standin: StandIn) -> int:
    return sum(path == "/api/qt/clist/get" for _, path, _ in standin.asked)


def histories(standin: StandIn) -> list[str]:
    return [path.split("/")[3] for _, path, _ in standin.asked if "hisdata_klc2" in path]


def test_the_archive_gives_the_past_and_the_live_source_the_last_day(load: Load, lake: Lake, standin: StandIn) -> None:
    result = load(bars_of(date(2025, 4, 1), FRIDAY_BEFORE))
    past = [date(2025, 4, 1), date(2025, 4, 2), FRIDAY_BEFORE]
    assert result.status == "success", result.message
    assert givers(lake) == dict.fromkeys(past, "recorded") | {MONDAY: "akshare"}
    assert_frame_equal(stored(lake, MONDAY), bars_of(MONDAY).sort("symbol"))
    assert "daily_bars came from recorded (3 days, 60 rows), akshare (1 day, 20 rows)." in result.message
    assert "recorded did not give all of daily_bars: no bars for 2025-04-07." in result.message
    assert result.metadata["sources"]["daily_bars"]["gave"] == {
        "recorded": {"rows": 60, "days": 3, "first": "2025-04-01", "last": "2025-04-03"},
        "akshare": {"rows": 20, "days": 1, "first": "2025-04-07", "last": "2025-04-07"},
    }


def test_a_source_that_has_all_leaves_nothing_to_ask_of_the_next(load: Load, lake: Lake, standin: StandIn) -> None:
    result = load(bars_of(FRIDAY_BEFORE), FRIDAY_BEFORE, MONDAY)
    assert (result.status, set(givers(lake).values())) == ("success", {"recorded"})
    assert snapshot_pages(standin) == 0
    assert not histories(standin)


def test_a_banned_source_is_followed_by_the_next_and_named(load: Load, lake: Lake, standin: StandIn) -> None:
    standin.fault("captcha", "/api/qt/")
    result = load(bars_of(FRIDAY_BEFORE), MONDAY, sources=["akshare", "recorded"])
    assert result.status == "success", result.message
    assert givers(lake) == {MONDAY: "recorded"}
    assert "akshare did not give all of daily_bars: push2delay.eastmoney.com" in result.message
    again = load(bars_of(FRIDAY_BEFORE), MONDAY, sources=["akshare", "recorded"], force=True)
    assert "No requests to push2delay.eastmoney.com until" in again.message


def test_two_stocks_that_the_archive_lacks_today_are_merged_into_its_day(
    load: Load, lake: Lake, standin: StandIn
) -> None:
    load(bars_of(FRIDAY_BEFORE, FRIDAY_BEFORE), FRIDAY_BEFORE)
    short = bars_of(FRIDAY_BEFORE).filter(~((pl.col("date") == MONDAY) & pl.col("symbol").is_in(SYMBOLS[4:6])))
    result = load(short, MONDAY)
    assert (result.status, givers(lake)[MONDAY]) == ("success", "recorded, akshare"), result.message
    assert_frame_equal(stored(lake, MONDAY), bars_of(MONDAY).sort("symbol"))
    assert "recorded (1 day, 18 rows), akshare (1 day, 2 rows)" in result.message
    assert load(short).status == "skipped"


def test_a_stock_that_the_archive_lacks_on_a_past_day_costs_two_requests(
    load: Load, lake: Lake, standin: StandIn
) -> None:
    days = [date(2025, 4, 1), date(2025, 4, 2)]
    load(bars_of(days[0]), days[0])
    standin.asked.clear()
    lost = (pl.col("date") == days[1]) & (pl.col("symbol") == "600519.SH")
    result = load(bars_of(days[0]).filter(~lost), days[1])
    assert result.status == "success", result.message
    row = stored(lake, days[1]).filter(symbol="600519.SH")
    expected = bars_of(days[1], days[1]).filter(symbol="600519.SH")
    assert_frame_equal(row.drop("is_st"), expected.drop("is_st"))
    assert (histories(standin), snapshot_pages(standin)) == (["sh600519"], 0)
    assert len(standin.asked) == 2


def test_a_row_that_is_set_aside_is_asked_of_the_next_source(load: Load, lake: Lake) -> None:
    load(bars_of(FRIDAY_BEFORE, FRIDAY_BEFORE), FRIDAY_BEFORE)
    bad = pl.when((pl.col("date") == MONDAY) & (pl.col("symbol") == "600519.SH")).then(-5.0).otherwise("amount")
    result = load(bars_of(FRIDAY_BEFORE).with_columns(amount=bad), MONDAY)
    assert result.status == "success", result.message
    assert_frame_equal(stored(lake, MONDAY), bars_of(MONDAY).sort("symbol"))
    assert lake.read("quarantine").is_empty()


def test_a_day_whose_values_are_impossible_is_asked_of_the_next_as_a_whole(load: Load, lake: Lake) -> None:
    bad = pl.when(pl.col("date") == MONDAY).then(-pl.col("amount") - 1).otherwise("amount")
    result = load(bars_of(FRIDAY_BEFORE).with_columns(amount=bad), FRIDAY_BEFORE, MONDAY)
    assert result.status == "success", result.message
    assert givers(lake) == {FRIDAY_BEFORE: "recorded", MONDAY: "akshare"}
    assert "recorded did not give all of daily_bars: 2025-04-07 was refused (negative_amount" in result.message


def test_a_day_that_repeats_the_one_before_is_asked_of_the_next(load: Load, lake: Lake) -> None:
    load(bars_of(date(2025, 4, 1), FRIDAY_BEFORE), date(2025, 4, 1), date(2025, 4, 2), FRIDAY_BEFORE)
    stale = bars_of(FRIDAY_BEFORE, FRIDAY_BEFORE).with_columns(date=pl.lit(MONDAY))
    result = load(pl.concat([bars_of(FRIDAY_BEFORE, FRIDAY_BEFORE), stale]), MONDAY)
    assert (result.status, givers(lake)[MONDAY]) == ("success", "akshare"), result.message
    assert "2025-04-07 was refused" in result.message


def test_named_symbols_are_asked_of_the_next_only_where_the_first_has_none(
    load: Load, lake: Lake, standin: StandIn
) -> None:
    window = {"symbols": SYMBOLS[:3], "start_date": "2025-04-01", "end_date": "2025-04-02"}
    result = load(bars_of(date(2025, 4, 1)).filter(pl.col("symbol") != SYMBOLS[1]), **window)
    assert result.status == "success", result.message
    assert histories(standin) == [f"sz{SYMBOLS[1][:6]}"]
    assert lake.read("daily_bars")["symbol"].value_counts().sort("symbol")["count"].to_list() == [2, 2, 2]


def test_when_every_source_fails_the_error_has_each_reason(load: Load, standin: StandIn) -> None:
    standin.fault("captcha", "/api/qt/")
    with pytest.raises(SourceUnavailable, match="push2delay"):
        load(bars_of(FRIDAY_BEFORE, FRIDAY_BEFORE), MONDAY)


def test_without_a_window_a_list_keeps_complete_what_the_lake_has(load: Load, lake: Lake) -> None:
    load(bars_of(date(2025, 4, 1)), date(2025, 4, 2))
    result = load(bars_of(date(2025, 4, 1)), sources=["akshare", "recorded"])
    assert result.status == "success", result.message
    assert min(givers(lake)) == date(2025, 4, 1)  # an archive costs nothing: its whole past is loaded
    assert givers(lake)[MONDAY] == "akshare"
