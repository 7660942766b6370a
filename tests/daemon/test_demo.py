"""The main job from end to end: the demo twice, and the real archive."""

from pathlib import Path

import pytest
from support.project import ROOT, Folder, make_folder, serve

DAILY_JOB = [
    "daily_data_sync",
    "sync_basic_stock_info",
    "sync_financial_data",
    "calc_technical_indicators",
    "calc_strategy_signals",
]


#: A name with all that a path may hold and that programs have taken for something else.
ODD = "我的 项目 #1 100% & it's (x) {y} year=1999"


@pytest.fixture
def shipped(tmp_path: Path) -> Folder:
    """The project as it is shipped, in a folder with an odd name."""
    folder = make_folder(tmp_path / ODD)
    folder.write("tasks.yaml", (ROOT / "tasks.yaml").read_text(encoding="utf-8"))
    return folder


@pytest.mark.timeout(400)  # two demos, each with a limit of its own
def test_in_a_folder_with_an_odd_name_the_demo_fills_its_own_lake_and_a_second_one_writes_nothing_twice(
    shipped: Folder,
) -> None:
    shipped.env["MYSTOCKS_SIMULATED"] = "symbols=40,start=2026-08-03"
    told = shipped.mystocks("demo", timeout=170)
    assert "simulated" in told
    assert "mystocks ui" in told
    assert "Another task" not in told
    assert str(shipped.root / "demo" / "lake") in told
    tables = {one["table"]: one["rows"] for one in shipped.json("--demo", "data", "tables")}
    assert all(
        tables[name] > 0
        for name in ("daily_bars", "stocks", "balance_sheets", "indicators_daily", "signals", "capital_flow_stock")
    )
    assert not (shipped.root / "data").exists()

    # At once: everything of the newest trading day is there, and nothing runs.
    again = shipped.mystocks("demo", timeout=60)
    assert "It has completed on the newest trading day" in again
    assert all(task in again for task in DAILY_JOB)
    assert all(shipped.json("stats")[task]["total_executions"] == 1 for task in DAILY_JOB)

    assert "skipped" in shipped.mystocks("demo", "--again", timeout=170)
    assert {one["table"]: one["rows"] for one in shipped.json("--demo", "data", "tables")} == tables
    doubles = shipped.json(
        "--demo", "data", "query", "SELECT count(*) - count(DISTINCT (symbol, date)) AS doubles FROM daily_bars"
    )
    assert doubles == [{"doubles": 0}]
    stats = shipped.json("stats")
    assert all(stats[task]["total_executions"] == 2 for task in DAILY_JOB)


def test_a_project_in_a_folder_with_an_odd_name_works_under_the_daemon(shipped: Folder) -> None:
    shipped.env |= {
        "MYSTOCKS_SOURCE": "simulated",
        "MYSTOCKS_SIMULATED": "symbols=40,start=2026-11-02",
        "MYSTOCKS_LAKE": "湖 #2 100%/lake",
    }
    with serve(shipped) as server:
        assert server.wait(server.launch("fetch_lhb_data"), 120) == "SUCCESS"
        assert shipped.json("history", "--limit", "1")[0]["status"] == "success"
        assert "success after" in shipped.mystocks("logs", "fetch_lhb_data")
        assert shipped.json("data", "query", "SELECT count(*) > 0 AS loaded FROM longhubang") == [{"loaded": True}]
        assert (shipped.root / "湖 #2 100%" / "lake" / "longhubang" / "_delta_log").is_dir()
        assert "healthy" in shipped.mystocks("health")
        shipped.mystocks("export", "备份 #1.yaml")
        assert (shipped.root / "备份 #1.yaml").exists()


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
