"""The main job from end to end: the demo twice, and the real archive."""

from pathlib import Path

import pytest
from support.project import ROOT, Folder

DAILY_JOB = ["daily_data_sync", "sync_basic_stock_info", "sync_financial_data", "calc_technical_indicators", "calc_strategy_signals"]


@pytest.fixture
def shipped(folder: Folder) -> Folder:
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder


def test_the_demo_fills_its_own_lake_and_a_second_one_writes_nothing_twice(shipped: Folder) -> None:
    shipped.env["MYSTOCKS_SIMULATED"] = "symbols=40,start=2026-08-03"
    told = shipped.mystocks("demo", timeout=170)
    assert "simulated" in told
    assert "make ui" in told
    assert str(shipped.root / "demo" / "lake") in told
    tables = {one["table"]: one["rows"] for one in shipped.json("--demo", "data", "tables")}
    assert all(tables[name] > 0 for name in ("daily_bars", "stocks", "balance_sheets", "indicators_daily", "signals", "capital_flow_stock"))
    assert not (shipped.root / "data").exists()

    again = shipped.mystocks("demo", timeout=170)
    assert "skipped" in again
    assert {one["table"]: one["rows"] for one in shipped.json("--demo", "data", "tables")} == tables
    doubles = shipped.json("--demo", "data", "query", "SELECT count(*) - count(DISTINCT (symbol, date)) AS doubles FROM daily_bars")
    assert doubles == [{"doubles": 0}]
    stats = shipped.json("stats")
    assert all(stats[task]["total_executions"] == 2 for task in DAILY_JOB)


def test_the_real_archive_goes_through_the_same_job(shipped: Folder, shared_data: Path) -> None:
    shipped.env |= {"MYSTOCKS_SOURCE": "recorded", "MYSTOCKS_RECORDED": str(shared_data)}
    shipped.mystocks("run", "daily_job", timeout=170)
    status = {one["task_id"]: one["status"] for one in shipped.json("history")}
    assert status == {
        "daily_data_sync": "success",
        "sync_basic_stock_info": "skipped",
        "sync_financial_data": "skipped",
        "calc_technical_indicators": "success",
        "calc_strategy_signals": "success",
    }
    tables = {one["table"]: one["rows"] for one in shipped.json("data", "tables")}
    assert tables["daily_bars"] == 262_786
    assert tables["indicators_daily"] > 0
    assert tables["signals"] > 0
    assert not {"stocks", "balance_sheets", "income_statements", "cash_flows"} & set(tables)
