"""`mystocks data gaps` and `backfill --missing` in a lake with holes: what is missing, and what fills it."""

import sys
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest
from rich.text import Text
from support.commands import Commands, commands_in
from support.project import Folder

from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.market import DAILY_BARS

TASKS = """
tasks:
  - task_id: sync
    task_type: cron
    task_module: mystocks_dagster.tasks.data_sync
    task_function: sync_daily_stock_data
    params: {data_source: akshare}
  - {task_id: flows, task_type: manual, task_module: mystocks_dagster.tasks.market_data,
     task_function: fetch_capital_flow_data}
  - {task_id: margins, task_type: manual, task_module: mystocks_dagster.tasks.datasets,
     task_function: sync_dataset, params: {dataset: margin}}
  - {task_id: limits, task_type: manual, task_module: mystocks_dagster.tasks.datasets,
     task_function: sync_dataset, params: {dataset: limit_down}}
"""
CALC = """
  - {task_id: calc, task_type: manual, task_module: mystocks_dagster.tasks.indicators,
     task_function: calculate_technical_indicators}
"""


@pytest.fixture
def mystocks(folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    folder.write("tasks.yaml", TASKS)
    monkeypatch.setenv("MYSTOCKS_NOW", "2026-11-24T18:00:00+08:00")
    monkeypatch.delenv("MYSTOCKS_RECORDED", raising=False)
    return commands_in(folder, monkeypatch, capsys)


@pytest.fixture
def load(mystocks: Commands) -> Callable[..., None]:
    """Store one bar on each of some days of November."""
    lake = Lake(str(mystocks.folder.root / "data"), "real")

    def store(*days: int, **fields) -> None:
        sessions = [date(2026, 11, day) for day in days]
        prices = dict.fromkeys(("open", "high", "low", "close", "prev_close", "amount"), 9.0)
        bar = {"symbol": "600000.SH", **prices, "volume": 1, "is_st": False, "suspended": False}
        rows = [{**bar, "date": day} for day in sessions]
        lake.replace_days("daily_bars", pl.DataFrame(rows, schema=DAILY_BARS.dtypes), sessions)
        record_days(lake, "daily_bars", dict.fromkeys(sessions, 1), source="akshare", **fields)

    return store


def test_an_empty_lake_says_which_task_loads_each_table(mystocks: Commands) -> None:
    told = mystocks("data", "gaps")
    assert "daily_bars: nothing is loaded; load it with: mystocks run sync" in told
    assert "capital_flow_stock: nothing is loaded; load it with: mystocks run flows" in told
    assert "no task of tasks.yaml loads it" in mystocks("data", "gaps", "longhubang")


def test_holes_are_listed_as_stretches_and_fit_into_eighty_columns(
    mystocks: Commands, load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(9, 10, 16, 17, 20, 23)
    load(18, incomplete=[date(2026, 11, 18)])
    gaps = mystocks.json("data", "gaps", "daily_bars")["gaps"]
    assert [(gap["status"], gap["first"], gap["last"], gap["days"]) for gap in gaps] == [
        ("missing", "2026-11-11", "2026-11-13", 3),
        ("partial", "2026-11-18", "2026-11-18", 1),
        ("missing", "2026-11-19", "2026-11-19", 1),
        ("missing", "2026-11-24", "2026-11-24", 1),
    ]
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    told = Text.from_ansi(mystocks("data", "gaps", "daily_bars")).plain
    assert max(map(len, told.splitlines())) <= 80
    assert "2026-11-11 to 2026-11-13" in told
    assert "Complete days: daily_bars 6" in told
    assert "mystocks backfill --missing daily_bars" in told


def test_json_is_a_heat_map_with_a_letter_for_each_day(mystocks: Commands, load) -> None:
    load(18, 20)
    told = mystocks.json("data", "gaps", "--from", "2026-11-17", "--to", "2026-11-20")
    assert told["days"] == ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"]
    assert told["tables"]["daily_bars"] == "mcmc"
    assert told["counts"]["daily_bars"] == {"complete": 2, "missing": 2}


def test_indicators_that_are_older_than_their_bars_are_listed_with_the_task_that_computes_them(
    mystocks: Commands, load
) -> None:
    load(20, 23)
    lake = Lake(str(mystocks.folder.root / "data"), "real")
    row = pl.DataFrame({"symbol": "600000.SH", "date": [date(2026, 11, 20)], "close_hfq": 9.0})
    lake.replace_all("indicators_daily", INDICATORS_DAILY.typed(row))
    mystocks.folder.write("tasks.yaml", TASKS + CALC)
    told = mystocks("data", "gaps", "indicators_daily")
    assert "indicators_daily is outdated: daily_bars has changed from 2026-11-23 on; mystocks run calc" in told
    assert mystocks.json("data", "gaps")["outdated"] == [
        {
            "table": "indicators_daily",
            "input": "daily_bars",
            "date": "2026-11-23",
            "newest": "2026-11-23",
            "task": "calc",
        }
    ]


def test_a_whole_lake_has_no_gap(mystocks: Commands, load) -> None:
    load(20, 23, 24)
    assert mystocks.json("data", "gaps", "daily_bars")["gaps"] == []
    assert "No day is missing." in mystocks("backfill", "--missing", "daily_bars")


def test_a_table_without_days_is_refused(mystocks: Commands) -> None:
    assert "stocks is not loaded by trading day" in mystocks("data", "gaps", "stocks", code=1)
    assert "There is no table 'bars'" in mystocks("backfill", "--missing", "bars", code=1)


def test_what_no_source_has_is_said_with_the_reason_and_nothing_is_started(mystocks: Commands, load) -> None:
    load(18, 20, 23)
    plan = mystocks.json("backfill", "--missing", "daily_bars", "--dry-run", "-p", "data_source=akshare")
    # A list of the present gives the newest day; the hole of the 19th it does not have.
    assert [(fill["task_id"], fill["first"], fill["last"], fill["source"]) for fill in plan["fills"]] == [
        ("sync", "2026-11-24", "2026-11-24", "akshare")
    ]
    assert plan["fills"][0]["requests"] > 0
    (hole,) = plan["not_fillable"]
    assert (hole["first"], hole["days"]) == ("2026-11-19", 1)
    assert "akshare has only the days 2026-11-24" in hole["why"]
    assert plan["executions"] == []
    assert "cannot be loaded: daily_bars 2026-11-19 (1 day): akshare has only" in mystocks(
        "backfill", "--missing", "daily_bars", "--dry-run", "-p", "data_source=akshare"
    )


def test_in_the_new_year_missing_days_are_filled_up_to_the_calendars_end_and_the_rest_names_the_remedy(
    mystocks: Commands, load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(24)
    monkeypatch.setenv("MYSTOCKS_NOW", "2027-01-05T18:00:00+08:00")
    plan = mystocks.json("backfill", "--missing", "daily_bars", "--dry-run", "-p", "data_source=tdx")
    assert [(fill["first"], fill["last"]) for fill in plan["fills"]] == [("2026-11-25", "2026-12-31")]
    (beyond,) = plan["not_fillable"]
    assert (beyond["first"], beyond["days"]) == ("2027-01-05", 1)
    assert beyond["why"] == "the trading calendar ends on 2026-12-31; extend it: mystocks calendar --refresh"


def test_stretches_of_days_are_in_chinese(mystocks: Commands, load, monkeypatch: pytest.MonkeyPatch) -> None:
    load(18, 23, 24)
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    assert "2026-11-19 至 2026-11-20" in mystocks("data", "gaps", "daily_bars")


def test_a_day_of_which_its_source_has_no_more_is_left_to_another_one(mystocks: Commands, load) -> None:
    load(20, 23)
    load(24, lacking=[date(2026, 11, 24)])
    plan = mystocks.json("backfill", "--missing", "daily_bars", "--dry-run", "-p", "data_source=akshare")
    assert plan["fills"] == []
    assert plan["not_fillable"][0]["why"] == "akshare has no more rows of it"


def test_what_a_host_allows_a_day_is_not_exceeded_and_the_rest_is_left_with_a_remedy(mystocks: Commands, load) -> None:
    load(9, 20, 23, 24)
    limited = ["backfill", "--missing", "daily_bars", "-p", "data_source=baostock", "--requests"]
    plan = mystocks.json(*limited, "3", "--dry-run")
    assert [(fill["first"], fill["last"], fill["requests"]) for fill in plan["fills"]] == [
        ("2026-11-10", "2026-11-12", 3)
    ]
    (rest,) = plan["postponed"]
    assert (rest["first"], rest["last"], rest["days"]) == ("2026-11-13", "2026-11-19", 5)
    assert "no more than 3 requests a day to" in rest["why"]
    told = mystocks(*limited, "0", code=1)
    assert "left for another day: daily_bars 2026-11-10 to 2026-11-19 (8 days) from baostock" in told
    assert "Load them tomorrow with the same command" in told


def test_days_of_a_declared_dataset_are_filled_by_its_calls(mystocks: Commands, load) -> None:
    lake = Lake(str(mystocks.folder.root / "data"), "real")
    load(20)
    for name in ("margin", "limit_down"):
        lake.replace_days(name, TABLES[name].empty(), [date(2026, 9, 1)])
        record_days(lake, name, {date(2026, 9, 1): 1}, source="akshare")
    plan = mystocks.json("backfill", "--missing", "margin", "limit_down", "--dry-run")
    fills = {fill["tables"][0]: fill for fill in plan["fills"]}
    # Shanghai and Shenzhen are asked each for itself, and the newest day is published on the next morning.
    margin = fills["margin"]
    assert (margin["first"], margin["last"], margin["source"]) == ("2026-09-02", "2026-11-23", "akshare")
    assert margin["requests"] == 2 * margin["days"]
    # The pools of limits have the newest 18 trading days only.
    assert (fills["limit_down"]["days"], fills["limit_down"]["last"]) == (18, "2026-11-24")
    assert [item["table"] for item in plan["not_fillable"]] == ["limit_down"]


def test_the_cheapest_source_is_chosen_and_of_equals_the_preferred_one(mystocks: Commands, load) -> None:
    load(9, 20, 23)
    plan = mystocks.json("backfill", "--missing", "daily_bars", "--dry-run")
    # One file of tdx has all nine days, which baostock answers one by one; dumps has no key here.
    assert [(fill["source"], fill["requests"]) for fill in plan["fills"]] == [("tdx", 1), ("tdx", 0)]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sync", "--from", "2026-11-20", "--requests", "5"], "add --missing"),
        (["--missing", "--again"], "leave out --again"),
        ([], "Name one task and its first day"),
        (["sync"], "Name one task and its first day"),
        (["sync", "flows", "--from", "2026-11-20"], "Name one task and its first day"),
    ],
)
def test_what_cannot_be_meant_is_refused(mystocks: Commands, arguments: list[str], why: str) -> None:
    assert why in mystocks("backfill", *arguments, code=1)


def test_a_time_without_trading_days_is_not_a_table_without_rows(mystocks: Commands, load: Callable[..., None]) -> None:
    load(23, 24)
    told = mystocks("data", "gaps", "daily_bars", "--from", "2027-01-01")
    assert "No trading day is expected in that time" in told
    assert "nothing is loaded" not in told
    assert "nothing is loaded" in mystocks("data", "gaps", "limit_down", "--to", "2026-11-20")
    told = mystocks("data", "gaps", "daily_bars", "--from", "2026-11-24", "--to", "2026-11-23", code=1)
    assert "The first day, 2026-11-24, is after the last one, 2026-11-23." in told


def test_before_its_first_version_a_table_did_not_exist(mystocks: Commands, load: Callable[..., None]) -> None:
    load(23)
    told = mystocks("data", "head", "daily_bars", "--at", "2020-01-01T00:00+08:00", code=1)
    assert "daily_bars did not exist at 2020-01-01T00:00:00+08:00: its first version is of 20" in told
    told = mystocks("data", "head", "longhubang", "--at", "2020-01-01T00:00+08:00", code=1)
    assert "run the task that writes it" in told
