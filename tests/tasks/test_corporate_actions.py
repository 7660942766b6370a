"""Corporate actions as a task loads them: what they settle, contradict and compute."""

import logging
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from standin.tdx import actions_zip, zipped
from standin.tdx import gbbq as records
from support.tdx_archive import day_file, record, write_zip

from mystocks_dagster.lake.action_check import known_action_days, open_differences
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import ACTION_DIFFERENCES
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.data_sync import ActionSync, DailySync, sync_corporate_actions, sync_daily_stock_data
from mystocks_dagster.tasks.run import TaskRun
from mystocks_dagster.tasks.witnesses import WitnessParams, compare_sources

DAYS = shanghai().sessions(date(2024, 6, 3), date(2024, 6, 28))
EX = DAYS[10]
BARS = "symbol,date,open,high,low,close,prev_close,volume,amount,suspended"
ACTIONS = "symbol,ex_date,cash,bonus,rights,rights_price,known_since,source"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of two stocks, of which one goes ex-dividend at 9.50 CNY after a close of 10 CNY."""
    folder = tmp_path / "archive"
    folder.mkdir()
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("MYSTOCKS_RECORDED", str(folder))
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded")
    monkeypatch.setenv("MYSTOCKS_NOW", "2024-06-28T20:30:00+08:00")
    rows = [
        f"{symbol},{day},10,10,9,10,{9.5 if (symbol, day) == ('600001.SH', EX) else 10},{100 + n},{1000 + 10 * n},false"
        for n, day in enumerate(DAYS)
        for symbol in ("600000.SH", "600001.SH")
    ]
    (folder / "daily_bars.csv").write_text("\n".join([BARS, *rows, ""]))
    return folder


@pytest.fixture
def task(archive: Path) -> TaskRun:
    silent = {"logger": logging.getLogger("t"), "report_progress": lambda *_: None}
    return TaskRun(task_id="t", run_id="r", attempt=1, settings=Settings.from_env(), **silent)


def act(archive: Path, *rows: str) -> None:
    (archive / "corporate_actions.csv").write_text("\n".join([ACTIONS, *rows, ""]))


def test_a_run_says_how_many_actions_contradict_the_prices_and_a_corrected_one_ends_it(
    archive: Path, task: TaskRun, tmp_path: Path
):
    act(archive, f"600001.SH,{EX},0.6,0,0,,2024-06-07,exchange")
    lake = Lake(str(tmp_path / "lake"), "real")
    sync_daily_stock_data(DailySync(include_basic=False), task)
    result = sync_corporate_actions(ActionSync(), task)
    assert "contradict each other in 1 case; list and decide them: mystocks data actions." in result.message
    assert result.rows["action_differences"] == 1
    assert open_differences(lake).select("symbol", "date", "kind").rows() == [("600001.SH", EX, "ratio_differs")]
    (rule,) = ACTION_DIFFERENCES.rules
    assert rule.severity == "check"
    assert lake.read("action_differences").select(rule.breaks().any()).item()
    act(archive, f"600001.SH,{EX},0.5,0,0,,2024-06-07,exchange")
    result = sync_corporate_actions(ActionSync(force=True), task)
    assert "contradict" not in result.message
    assert result.rows["action_differences"] == 1  # the row that was removed
    assert open_differences(lake).is_empty()


def test_bars_that_come_after_their_actions_are_compared_too(archive: Path, task: TaskRun):
    act(archive, f"600000.SH,{EX},0.5,0,0,,2024-06-07,exchange", f"600001.SH,{EX},0.5,0,0,,2024-06-07,exchange")
    sync_corporate_actions(ActionSync(), task)
    result = sync_daily_stock_data(DailySync(include_basic=False), task)
    assert result.rows["action_differences"] == 1
    differing = open_differences(Lake(task.settings.lake, "real"))
    assert differing.select("symbol", "kind").rows() == [("600000.SH", "action_without_event")]


def test_the_days_of_a_request_are_known_and_no_others(archive: Path, task: TaskRun, tmp_path: Path):
    act(archive, f"600001.SH,{EX},0.5,0,0,,2024-06-07,exchange")
    lake = Lake(str(tmp_path / "lake"), "real")
    sync_corporate_actions(ActionSync(start_date=DAYS[8], end_date=DAYS[12]), task)
    assert known_action_days(lake) == DAYS[8:13]
    # A window that ends today is not the year up to today, which is still to be fetched.
    sync_corporate_actions(ActionSync(start_date=DAYS[15]), task)
    assert DAYS[-1] not in known_action_days(lake)
    assert sync_corporate_actions(ActionSync(), task).status == "success"
    assert known_action_days(lake)[-1] == DAYS[-1]
    assert sync_corporate_actions(ActionSync(), task).status == "skipped"


@pytest.fixture
def gbbq(task: TaskRun, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """通达信's file of actions beside an archive: 0.60 CNY of 600001, and 0.10 CNY of 600000 on the day after."""
    write_zip(tmp_path / "hsjday.zip", {"sh600000.day": day_file([record(20240628, 1000)])})
    file = tmp_path / "gbbq.zip"
    ex, after = (day.year * 10000 + day.month * 100 + day.day for day in (EX, DAYS[11]))
    file.write_bytes(actions_zip([(1, "600001", ex, 1, 6.0, 0, 0, 0), (1, "600000", after, 1, 1.0, 0, 0, 0)], ""))
    monkeypatch.setenv("MYSTOCKS_TDX", str(tmp_path / "hsjday.zip"))
    monkeypatch.setenv("MYSTOCKS_SOURCE", "recorded,tdx")
    act(archive, f"600001.SH,{EX},0.5,0,0,,2024-06-07,exchange", f"600000.SH,{DAYS[11]},0.1,0,0,,2024-06-07,exchange")
    return file


def test_of_two_sources_the_second_is_a_witness_and_what_they_differ_in_is_kept(gbbq: Path, task: TaskRun) -> None:
    run = replace(task, settings=Settings.from_env())
    lake = Lake(task.settings.lake, "real")
    result = sync_corporate_actions(ActionSync(), run)
    assert "tdx witnesses them with 2 of its own" in result.message
    assert lake.read("corporate_actions").select("symbol", "cash", "source").sort("cash", "source").rows() == [
        ("600000.SH", 0.1, "exchange"), ("600000.SH", 0.1, "tdx"),
        ("600001.SH", 0.5, "exchange"), ("600001.SH", 0.6, "tdx"),
    ]  # fmt: skip
    compared = compare_sources(WitnessParams(tables=["corporate_actions"], day=EX), run)
    assert "agree except in 1 of 1 rows" in compared.message
    differences = lake.read("source_differences")
    assert differences.select("symbol", "column", "source_a", "value_a", "source_b", "value_b").rows() == [
        ("600001.SH", "cash", "tdx", "0.6", "exchange", "0.5")
    ]
    agreeing = compare_sources(WitnessParams(tables=["corporate_actions"], day=DAYS[11]), run)
    assert "agree in all 1 rows" in agreeing.message
    assert sync_corporate_actions(ActionSync(), run).status == "skipped"


def test_a_witness_that_cannot_be_read_is_named_and_the_actions_of_the_first_stay(gbbq: Path, task: TaskRun) -> None:
    gbbq.write_bytes(zipped({"gbbq": records([(1, "600001", 20240618, 1, 6.0, 0, 0, 0)])[:-5]}))
    result = sync_corporate_actions(ActionSync(), replace(task, settings=Settings.from_env()))
    assert "No second source: tdx: " in result.message
    assert Lake(task.settings.lake, "real").read("corporate_actions").height == 2
