"""Corporate actions as a task loads them: what they settle, contradict and compute."""

import logging
from datetime import date
from pathlib import Path

import pytest

from mystocks_dagster.lake.action_check import known_action_days, open_differences
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.reference import ACTION_DIFFERENCES
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.data_sync import ActionSync, DailySync, sync_corporate_actions, sync_daily_stock_data
from mystocks_dagster.tasks.run import TaskRun

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
