"""The task file that ships: the ten tasks and three groups of the contract, and the tasks that are added to them."""

from pathlib import Path

import pytest

from mystocks_dagster.taskfile.edit.serialization import export_text
from mystocks_dagster.taskfile.edit.writer import edit_task, set_enabled
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.problems import render_all
from mystocks_dagster.taskfile.reader import load_task_file, load_text, read_task_file

ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "tasks.yaml"

# As the contract's table has them: type, function, cron, params, dependencies.
CONTRACT = {
    "daily_data_sync": ("cron", "data_sync.sync_daily_stock_data", "0 16 * * 1-5", {
        "data_source": "akshare", "include_basic": True, "include_kline": True, "symbols": [], "start_date": "",
        "end_date": "",
    }, ()),
    "hourly_realtime_data": ("cron", "market_data.fetch_realtime_market_data", "0 * * * *", {"fetch_stocks": True,
    "fetch_etfs": True}, ()),
    "monthly_cache_cleanup": ("cron", "maintenance.cleanup_cache_data", "0 0 1 * *", {"retention_days",
    "cleanup_paths"}, ()),
    "sync_basic_stock_info": ("data_sync", "data_sync.sync_basic_stock_info", None, {"data_source",
    "include_delisted"}, ()),
    "sync_financial_data": ("data_sync", "data_sync.sync_financial_statements", None, {
        "data_source": "akshare", "report_types": ["balance_sheet", "income_statement", "cash_flow"],
    }, ("sync_basic_stock_info",)),
    "calc_technical_indicators": ("indicator_calc", "indicators.calculate_technical_indicators", None, {
        "indicators": ["MA", "MACD", "KDJ", "RSI", "BOLL"], "periods": ["daily", "weekly"],
    }, ()),
    "calc_strategy_signals": ("indicator_calc", "strategy.calculate_strategy_signals", None, {
        "strategies": ["ma_crossover", "macd_divergence", "kdj_overbought"],
    }, ("calc_technical_indicators",)),
    "fetch_lhb_data": ("market_fetch", "market_data.fetch_longhubang_data", None, {"data_source": "akshare"}, ()),
    "fetch_capital_flow": ("market_fetch", "market_data.fetch_capital_flow_data", None, {
        "data_source": "akshare", "flow_types": ["stock", "sector", "concept"],
    }, ()),
    "run_strategy_backtest": ("manual", "backtest.run_backtest", None, {"strategy_id", "start_date", "end_date",
    "initial_capital"}, ()),
}  # fmt: skip
#: Tasks of the shipped file beside those of the contract, after them: type and function.
ADDED = {
    "bootstrap_market": ("manual", "bootstrap.bootstrap_market"),
    "screen_market": ("manual", "screening.screen_market"),
    "run_strategy_grid": ("manual", "backtest_grid.run_backtest_grid"),
    "compare_sources": ("cron", "witnesses.compare_sources"),
    "sync_corporate_actions": ("cron", "data_sync.sync_corporate_actions"),
    "sync_index_bars": ("cron", "datasets.sync_dataset"),
    "sync_etf_bars": ("cron", "datasets.sync_dataset"),
}
#: Those that start by themselves: what the daily bars need to be adjusted and compared with.
DAILY = {"sync_corporate_actions", "sync_index_bars", "sync_etf_bars"}
GROUPS = {
    "daily_job": (
        "sequential",
        (
            "daily_data_sync",
            "sync_basic_stock_info",
            "sync_financial_data",
            "calc_technical_indicators",
            "calc_strategy_signals",
        ),
    ),
    "market_data_fetch": ("parallel", ("fetch_lhb_data", "fetch_capital_flow")),
    "maintenance_job": ("sequential", ("monthly_cache_cleanup",)),
}


@pytest.fixture(scope="module")
def shipped() -> TaskFile:
    """The shipped file, without its functions."""
    return read_task_file(SHIPPED, functions=False)


def test_the_tasks_are_those_of_the_contract(shipped: TaskFile):
    assert [task.task_id for task in shipped.tasks] == [*CONTRACT, *ADDED]


@pytest.mark.parametrize("task_id", ADDED)
def test_an_added_task_belongs_to_no_group_and_starts_by_itself_only_if_daily_bars_need_it(
    task_id: str, shipped: TaskFile
):
    task = shipped.by_id()[task_id]
    assert isinstance(task, Task)
    assert (task.task_type, f"{task.task_module}.{task.task_function}") == (
        ADDED[task_id][0],
        f"mystocks_dagster.tasks.{ADDED[task_id][1]}",
    )
    assert bool(task.schedule and task.schedule.enabled) == (task_id in DAILY)
    assert not any(task_id in group.tasks for group in shipped.task_groups)


@pytest.mark.parametrize("task_id", CONTRACT)
def test_a_task_is_what_the_contract_says(task_id: str, shipped: TaskFile):
    task = shipped.by_id()[task_id]
    assert isinstance(task, Task)
    kind, function, cron, params, dependencies = CONTRACT[task_id]
    assert task.task_type == kind
    assert f"{task.task_module}.{task.task_function}" == f"mystocks_dagster.tasks.{function}"
    assert (task.schedule.cron_expression if task.schedule else None) == cron
    assert (set(task.params) if isinstance(params, set) else task.params) == params
    assert task.dependencies == dependencies
    assert not task.task_name.isascii()
    assert not task.description.isascii()
    assert task.timeout


def test_the_groups_are_those_of_the_contract(shipped: TaskFile):
    assert {group.group_id: (group.execution_mode, group.tasks) for group in shipped.task_groups} == GROUPS


def test_the_daily_sync_is_as_in_the_document_that_the_system_comes_from(shipped: TaskFile):
    task = shipped.tasks[0]
    assert (task.task_name, task.description) == ("每日股票数据同步", "每天收盘后同步当日股票交易数据")
    assert (task.priority, task.timeout, task.retry_count, task.retry_delay) == (200, 3600, 3, 300)
    assert task.tags == ("daily", "data_sync", "important")


def test_the_daily_job_and_the_market_tasks_rest_on_holidays(shipped: TaskFile):
    schedules = {name: entry.schedule for name, entry in shipped.by_id().items() if entry.schedule}
    assert {name: (one.cron_expression, one.trading_days_only, one.enabled) for name, one in schedules.items()} == {
        "daily_data_sync": ("0 16 * * 1-5", True, True),
        "hourly_realtime_data": ("0 * * * *", True, True),
        "monthly_cache_cleanup": ("0 0 1 * *", False, True),
        "daily_job": ("30 16 * * 1-5", True, True),
        "compare_sources": ("0 19 * * 1-5", True, False),
        "sync_corporate_actions": ("20 18 * * 1-5", True, True),
        "sync_index_bars": ("30 18 * * 1-5", True, True),
        "sync_etf_bars": ("40 18 * * 1-5", True, True),
    }


def test_the_shipped_file_has_no_problem():
    version = load_task_file(SHIPPED)
    assert not version.problems, render_all(version.problems, SHIPPED.read_text(encoding="utf-8").splitlines())
    assert set(version.functions) == {*CONTRACT, *ADDED}


def test_the_same_file_with_the_former_module_paths_has_none_either():
    text = SHIPPED.read_text(encoding="utf-8")
    former = text.replace("mystocks_dagster.tasks.", "app.tasks.")
    assert former.count("app.tasks.") == len(CONTRACT) + len(ADDED)
    version = load_text(former, SHIPPED)
    assert version.problems == ()
    assert {function.__module__.rpartition(".")[0] for function in version.functions.values()} == {
        "mystocks_dagster.tasks"
    }


def test_an_edit_of_the_shipped_file_is_one_line(tmp_path: Path):
    path = tmp_path / "tasks.yaml"
    path.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    changed = [
        line for line in edit_task(path, "daily_data_sync", {"timeout": 7200}).diff.splitlines()[2:] if line[0] in "+-"
    ]
    assert changed == [
        "-    timeout: 3600                       # seconds an attempt may take",
        "+    timeout: 7200                       # seconds an attempt may take",
    ]
    set_enabled(path, "daily_job", False)
    set_enabled(path, "daily_job", True)
    edit_task(path, "daily_data_sync", {"timeout": 3600})
    assert path.read_text(encoding="utf-8") == SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_file_survives_export_and_import(tmp_path: Path):
    exported = tmp_path / "tasks.json"
    exported.write_text(export_text(SHIPPED, "json"), encoding="utf-8")
    assert read_task_file(exported, functions=False) == read_task_file(SHIPPED, functions=False)


def test_editors_find_the_schema():
    first = SHIPPED.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/tasks.schema.json"
    assert (ROOT / "docs/tasks.schema.json").is_file()
