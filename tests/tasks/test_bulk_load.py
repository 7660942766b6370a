"""Loading a market's past by calendar year, out of a 通达信 archive."""

import dataclasses
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.tdx_archive import day_file, record, write_zip

from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.loads import complete_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.sources.checked import CheckedSource
from mystocks_dagster.sources.registry import open_source
from mystocks_dagster.tasks.bulk_load import known_actions, load_history
from mystocks_dagster.tasks.run import TaskResult, TaskRun

pytestmark = pytest.mark.slow

START, END = date(2022, 1, 1), date(2024, 12, 31)
STOCKS = ("sh600000", "sz000001", "sz300750", "bj920001")
Files = dict[str, bytes]


def numbers() -> list[int]:
    return [day.year * 10000 + day.month * 100 + day.day for day in shanghai().sessions(START, END)]


@pytest.fixture
def files() -> Files:
    """Four stocks with bars on every trading day of three years."""
    return {
        f"{name}.day": day_file(record(day, 1000 + 10 * at + n % 7) for n, day in enumerate(numbers()))
        for at, name in enumerate(STOCKS)
    }


@pytest.fixture
def load(computing: TaskRun, tmp_path: Path) -> Callable[..., list[TaskResult]]:
    """Load an archive of these files into the lake of `computing`."""

    def run(files: Files, start: date = START, end: date = END) -> list[TaskResult]:
        path = write_zip(tmp_path / "hsjday.zip", files)
        settings = dataclasses.replace(computing.settings, source_options={"tdx": str(path)})
        source = CheckedSource(open_source("tdx", settings))
        silent = lambda *_: None  # noqa: E731 - a progress that nobody reads
        return load_history(source, computing.lake("real"), start, end, reading=silent, writing=silent)

    return run


def test_three_years_of_an_archive_are_in_the_lake(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    (result, *_) = load(files)
    assert (result.status, result.rows["daily_bars"]) == ("success", 4 * len(numbers()))
    assert list(complete_days(lake, "daily_bars")) == shanghai().sessions(START, END)
    assert lake.read("daily_bars", symbols=["300750.SZ"]).sort("date")["close"].to_list()[:3] == [10.20, 10.21, 10.22]


def test_a_second_load_reads_and_writes_nothing(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    load(files)
    before = lake.log("daily_bars")
    (result, *_) = load(files)
    after = lake.log("daily_bars")
    assert before
    assert after
    assert before.version() == after.version()
    assert result.status == "skipped"
    assert "are complete" in result.message


def test_days_that_the_lake_has_are_kept_as_they_are(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    day = date(2023, 5, 10)
    load(files, day, day)
    mine = lake.read("daily_bars").with_columns(turnover=pl.lit(1.5))
    lake.replace_days("daily_bars", mine, [day])
    record_days(lake, "daily_bars", {day: mine.height}, source="another source")
    load(files)
    assert lake.read("daily_bars", start=day, end=day)["turnover"].to_list() == [1.5] * 4
    assert lake.read("daily_bars").height == 4 * len(numbers())


def test_rows_that_break_a_rule_are_set_aside(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    rows = [record(day, 1000) for day in numbers()]
    rows[100] = (*rows[100][:2], 900, 1100, *rows[100][4:])  # high below low
    (result, *_) = load({**files, "sh600000.day": day_file(rows)})
    assert result.status == "partial_success"
    assert "high_below_low" in lake.read("quarantine")["rule"].to_list()
    assert lake.read("quarantine")["key"].unique().to_list() == [f"600000.SH {shanghai().sessions(START, END)[100]}"]
    assert lake.read("daily_bars").height == 4 * len(numbers()) - 1


def test_prices_times_ten_on_one_day_are_set_aside(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    rows = [record(day, 1000) for day in numbers()]
    rows[300] = record(numbers()[300], 10000)
    load({**files, "sh600000.day": day_file(rows)})
    aside = lake.read("quarantine")
    assert "600000.SH" in aside["key"][0]
    assert "beyond_price_limit" in aside["rule"].to_list()


def test_a_fund_whose_prices_have_the_scale_of_a_stock_is_set_aside_and_named(
    load: Callable[..., list[TaskResult]], files: Files, lake: Lake
):
    fund = day_file(record(day, 1000) for day in numbers())  # amount / volume is ten times the price
    results = load({**files, "sh510300.day": fund})
    assert not lake.exists("etf_bars")
    aside = lake.read("quarantine")
    assert aside.select(pl.col("table", "rule").unique()).rows() == [("etf_bars", "mean_price_outside_range")]
    assert aside.height == len(numbers())
    (funds,) = [result for result in results if "etf_bars" in result.message]
    assert funds.status == "partial_success"
    assert "mean_price_outside_range" in funds.message


def test_a_row_of_a_holiday_is_set_aside(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    rows = [record(day, 1000) for day in sorted([*numbers(), 20230124])]  # Chinese New Year
    load({**files, "sh600000.day": day_file(rows)})
    assert lake.read("quarantine").select("key", "rule").rows() == [("600000.SH 2023-01-24", "no_trading_day")]


def test_an_action_becomes_an_event(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    rows = [record(day, 1000 if day < 20230605 else 500) for day in numbers()]
    action = {
        "symbol": "600000.SH",
        "ex_date": date(2023, 6, 5),
        "cash": 0.0,
        "bonus": 1.0,
        "rights": 0.0,
        "source": "x",
    }
    lake.upsert("corporate_actions", pl.DataFrame([action], schema=CORPORATE_ACTIONS.dtypes))
    load({**files, "sh600000.day": day_file(rows)})
    assert lake.read("adjust_events").filter(pl.col("symbol") == "600000.SH").rows() == [
        ("600000.SH", date(2023, 6, 5), 0.5)
    ]


def test_a_symbol_without_a_record_was_suspended(load: Callable[..., list[TaskResult]], files: Files, lake: Lake):
    rows = [record(day, 1000) for day in numbers() if not 20230601 <= day <= 20230620]
    (result, *_) = load({**files, "sh600000.day": day_file(rows)})
    assert result.status == "success"
    assert lake.read("adjust_events").is_empty()


def test_the_action_of_the_loading_source_counts(lake: Lake):
    rows = [
        {"symbol": "600000.SH", "ex_date": date(2023, 6, 5), "cash": cash, "bonus": 0.0, "rights": 0.0, "source": name}
        for cash, name in ((1.0, "akshare"), (2.0, "tdx"))
    ]
    if "source" not in CORPORATE_ACTIONS.key:
        pytest.skip("one row for a symbol and day")
    lake.upsert("corporate_actions", pl.DataFrame(rows, schema=CORPORATE_ACTIONS.dtypes))
    known = known_actions(lake, "tdx", END)
    assert known is not None
    assert known["cash"].to_list() == [2.0]


def test_without_actions_none_are_known(lake: Lake):
    assert known_actions(lake, "tdx", END) is None


def test_a_torn_file_makes_the_result_partial(load: Callable[..., list[TaskResult]], files: Files):
    results = load({**files, "sh600000.day": files["sh600000.day"][:-7]})
    assert results[-1].status == "partial_success"
    assert ("600000.SH",) in [result.failed_items for result in results]
    assert "no multiple of 32" in results[0].message


def test_the_events_are_those_that_the_stored_bars_give(
    load: Callable[..., list[TaskResult]], files: Files, lake: Lake
):
    walk, days = random.Random(11), numbers()
    ex_days = {name: sorted(walk.sample(days[5:], 6)) for name in STOCKS}
    actions = []
    for at, name in enumerate(STOCKS):
        close, rows, begin = 2000, [], at * 100
        for day in days[begin:]:
            if day in ex_days[name]:
                close //= 2
                actions.append((f"{name[2:]}.{name[:2].upper()}", day))
            if walk.random() > 0.03:  # it rests now and then, also on ex-dividend days
                rows.append(record(day, close))
        files[f"{name}.day"] = day_file(rows)
    lake.upsert(
        "corporate_actions",
        pl.DataFrame(
            [
                {"symbol": symbol, "ex_date": date(day // 10000, day // 100 % 100, day % 100), "cash": 0.0,
                 "bonus": 1.0, "rights": 0.0, "source": "tdx"}
                for symbol, day in actions
            ],
            schema=CORPORATE_ACTIONS.dtypes,
        ),
    )  # fmt: skip
    load(files)
    derived = lake.read("adjust_events").sort("symbol", "date")
    refresh_events(lake, lake.days("daily_bars"))
    assert derived.equals(lake.read("adjust_events").sort("symbol", "date"))
    assert derived.height > 15
    assert derived["ratio"].null_count() == 0


def test_a_stock_that_rests_for_more_than_a_year_is_compared_with_its_last_bar(
    load: Callable[..., list[TaskResult]], files: Files, lake: Lake
):
    resting = [day for day in numbers() if day < 20220701 or day >= 20240301]
    back = next(day for day in resting if day > 20240000)
    files["sh600000.day"] = day_file(record(day, 2000 if day < back else 1000) for day in resting)
    returned = date(back // 10000, back // 100 % 100, back % 100)
    action = {"symbol": "600000.SH", "ex_date": date(2023, 5, 4), "cash": 0.0, "bonus": 1.0, "rights": 0.0}
    lake.upsert("corporate_actions", pl.DataFrame([action | {"source": "tdx"}], schema=CORPORATE_ACTIONS.dtypes))
    load(files)
    events = lake.read("adjust_events", symbols=["600000.SH"])
    assert events.rows() == [("600000.SH", returned, 0.5)]
