"""What a tired person gets for a mistake: one clear message with place and remedy, exit code 1, no traceback, nothing
lost."""

import os
from pathlib import Path

import pytest
from support.project import Folder

GOOD = """
    tasks:
      - task_id: quotes
        task_type: market_fetch
        task_module: app.tasks.market_data
        task_function: fetch_longhubang_data
        params: {data_source: akshare}
      - task_id: sync_stocks
        task_type: data_sync
        task_module: app.tasks.data_sync
        task_function: sync_basic_stock_info
        params: {data_source: simulated}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ["tasks.yaml"]),
        ("", ["tasks.yaml", "empty"]),
        ("tasks: [\n", ["tasks.yaml:"]),
        ("tasks:\n\t- task_id: a\n", ["tasks.yaml:2:1", "tab"]),
        ("tasks: 5\n", ["tasks.yaml:1:8", "list"]),
        (GOOD.replace("sync_basic_stock_info", "sync_basic_stok_info"), ["tasks.yaml:11:20", "sync_basic_stock_info"]),
        (GOOD.replace("task_type: data_sync", "task_type: data_sink"), ["tasks.yaml:9:16", "data_sync"]),
    ],
    ids=["missing", "empty", "syntax", "tab", "wrong-type", "unknown-function", "unknown-word"],
)
@pytest.mark.parametrize("command", [["check"], ["run", "sync_stocks"]], ids=["check", "run"])
def test_a_wrong_task_file_is_told_with_its_line(
    folder: Folder, text: str | None, expected: list[str], command: list[str]
) -> None:
    if text is not None:
        folder.write("tasks.yaml", text)
    told = folder.mystocks(*command, code=1)
    for part in expected:
        assert part in told


def test_an_unknown_name_gets_a_near_one(folder: Folder) -> None:
    folder.write("tasks.yaml", GOOD)
    assert "Did you mean sync_stocks" in folder.mystocks("run", "sync_stokcs", code=1)
    assert "daily_bars" in folder.mystocks("data", "head", "dayly_bars", code=1)
    assert "Did you mean sync_stocks" in folder.mystocks("history", "sync_stokcs", code=1)
    assert "Did you mean sync_stocks" in folder.mystocks("stats", "sync_stokcs", code=1)


def test_an_unreachable_source_is_named_and_the_tables_stay(folder: Folder) -> None:
    folder.write("tasks.yaml", GOOD)
    folder.env["MYSTOCKS_UPSTREAM"] = "http://127.0.0.1:9"
    told = folder.mystocks("run", "quotes", code=1)
    assert "eastmoney" in told or "127.0.0.1:9" in told
    assert folder.json("data", "tables") == []


def test_parameters_that_do_not_fit_are_refused_before_anything_runs(folder: Folder) -> None:
    folder.write("tasks.yaml", GOOD)
    told = folder.mystocks("run", "sync_stocks", "-p", "include_delistd=true", code=1)
    assert "include_delistd" in told
    assert folder.json("history") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_lake_that_may_not_be_written_is_named(folder: Folder) -> None:
    folder.write("tasks.yaml", GOOD)
    lake = folder.root / "data"
    lake.mkdir(mode=0o500)
    assert str(lake) in folder.mystocks("run", "sync_stocks", code=1)


def test_a_lake_that_is_a_file_is_named_with_a_remedy(folder: Folder) -> None:
    folder.write("tasks.yaml", GOOD)
    Path(folder.root / "data").write_text("not a folder")
    told = folder.mystocks("run", "sync_stocks", code=1)
    assert str(folder.root / "data") in told
    assert Path(folder.root / "data").read_text() == "not a folder"


def test_the_other_world_is_refused_with_the_remedy(folder: Folder, shared_data: Path) -> None:
    folder.write("tasks.yaml", GOOD + GOOD_BARS)
    folder.mystocks("run", "sync_stocks", code=0)
    before = folder.json("data", "tables")
    folder.env |= {"MYSTOCKS_SOURCE": "recorded", "MYSTOCKS_RECORDED": str(shared_data)}
    told = folder.mystocks("run", "bars", code=1)
    assert "simulated:7" in told
    assert "MYSTOCKS_LAKE" in told
    assert folder.json("data", "tables") == before


GOOD_BARS = """
      - task_id: bars
        task_type: data_sync
        task_module: app.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {symbols: [600000.SH], start_date: "2024-01-02", end_date: "2024-01-31"}
"""


def test_wrong_usage_is_exit_code_two(folder: Folder) -> None:
    folder.mystocks("run", code=2)
    folder.mystocks("nonsense", code=2)
