"""What the shipped tasks.yaml becomes in Dagster: a change here is a change of what people see."""

import dagster as dg
import pytest
from support.project import ROOT, Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.factory.load import SIMULATED
from mystocks_dagster.taskfile.reader import load_task_file, load_text

TABLES_BY_TASK = {
    "daily_data_sync": {"daily_bars", "adjust_events"},
    "hourly_realtime_data": {"stock_quotes", "etf_quotes"},
    "sync_basic_stock_info": {"stocks"},
    "sync_financial_data": {"balance_sheets", "income_statements", "cash_flows"},
    "calc_technical_indicators": {"indicators_daily", "indicators_monthly", "indicators_weekly"},
    "calc_strategy_signals": {"signals"},
    "fetch_lhb_data": {"longhubang"},
    "fetch_capital_flow": {"capital_flow_stock", "capital_flow_sector", "capital_flow_concept"},
    "run_strategy_backtest": {
        *("backtests", "backtest_equity", "backtest_trades", "backtest_orders"),
        *("backtest_positions", "backtest_events"),
    },
    "screen_market": {"screens", "screen_runs"},
    "run_strategy_grid": {"backtest_grids"},
    "compare_sources": {"source_differences", "source_comparisons"},
    "sync_corporate_actions": {"corporate_actions", "action_differences"},
    "sync_index_bars": {"index_bars"},
    "sync_etf_bars": {"etf_bars"},
}
UPSTREAM = {
    "indicators_daily": {"daily_bars", "adjust_events"},
    "signals": {"indicators_daily", "indicators_monthly", "indicators_weekly", "daily_bars"},
    "balance_sheets": {"stocks"},
    "backtests": {"signals", "daily_bars", "adjust_events", "corporate_actions", "stocks", "stock_names", "index_bars"},
}
#: The seed's task that writes what daily_data_sync owns.
TEST_TASK = """
  - task_id: test_task
    task_name: 测试任务
    task_type: manual
    task_module: app.tasks.data_sync
    task_function: sync_daily_stock_data
    priority: 500
    timeout: 300
"""


@pytest.fixture(scope="module")
def shipped() -> dg.Definitions:
    return build_definitions(load_task_file(ROOT / "tasks.yaml"))


def test_the_shipped_file_has_no_problem() -> None:
    version = load_task_file(ROOT / "tasks.yaml")
    assert version.problems == ()
    assert len(version.taskfile.tasks) == 17
    assert len(version.taskfile.task_groups) == 3


def test_tables_are_assets_of_the_tasks_that_keep_them(shipped: dg.Definitions) -> None:
    found = {
        spec.op.name.removesuffix("__asset"): {key.to_user_string() for key in spec.keys}
        for spec in shipped.assets or ()
        if isinstance(spec, dg.AssetsDefinition)
    }
    assert found == TABLES_BY_TASK


def test_lineage_follows_dependencies_and_declared_reads(shipped: dg.Definitions) -> None:
    graph = shipped.resolve_asset_graph()
    for table, upstream in UPSTREAM.items():
        assert {key.to_user_string() for key in graph.get(dg.AssetKey(table)).parent_keys} == upstream, table


def test_every_task_and_group_has_a_job_and_the_crons_run_in_shanghai(shipped: dg.Definitions) -> None:
    repository = shipped.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"}
    without_tables = {"bootstrap_market", "monthly_cache_cleanup"}
    assert jobs == {*TABLES_BY_TASK, *without_tables, "daily_job", "market_data_fetch", "maintenance_job"}
    schedules = {
        one.name: (one.cron_schedule, one.execution_timezone, one.default_status.value)
        for one in repository.schedule_defs
    }
    assert schedules == {
        "daily_data_sync__schedule": ("0 16 * * 1-5", "Asia/Shanghai", "RUNNING"),
        "hourly_realtime_data__schedule": ("0 * * * *", "Asia/Shanghai", "RUNNING"),
        "monthly_cache_cleanup__schedule": ("0 0 1 * *", "Asia/Shanghai", "RUNNING"),
        "daily_job__schedule": ("30 16 * * 1-5", "Asia/Shanghai", "RUNNING"),
        "compare_sources__schedule": ("0 19 * * 1-5", "Asia/Shanghai", "STOPPED"),
        "sync_corporate_actions__schedule": ("20 18 * * 1-5", "Asia/Shanghai", "RUNNING"),
        "sync_index_bars__schedule": ("30 18 * * 1-5", "Asia/Shanghai", "RUNNING"),
        "sync_etf_bars__schedule": ("40 18 * * 1-5", "Asia/Shanghai", "RUNNING"),
    }


@pytest.mark.slow
def test_daily_tables_are_partitioned_by_trading_day(shipped: dg.Definitions) -> None:
    graph = shipped.resolve_asset_graph()
    for table in ("daily_bars", "longhubang", "capital_flow_stock"):
        partitions = graph.get(dg.AssetKey(table)).partitions_def
        assert partitions is not None, table
        keys = partitions.get_partition_keys()
        assert "2024-02-08" in keys
        assert not {"2024-02-09", "2024-02-10", "2024-10-01"} & set(
            keys
        )  # Spring Festival's eve, a Saturday, National Day
    assert graph.get(dg.AssetKey("stocks")).partitions_def is None


def test_a_second_writer_of_an_owned_table_loads_as_an_op_job(folder: Folder) -> None:
    text = (ROOT / "tasks.yaml").read_text(encoding="utf-8").replace("\ntask_groups:", f"{TEST_TASK}\ntask_groups:", 1)
    definitions = build_definitions(load_text(text, folder.root / "tasks.yaml"))
    repository = definitions.get_repository_def()
    assert repository.has_job("test_task")
    owners = [
        one.op.name
        for one in definitions.assets or ()
        if isinstance(one, dg.AssetsDefinition) and dg.AssetKey("daily_bars") in one.keys
    ]
    assert owners == ["daily_data_sync__asset"]


def test_a_simulated_market_says_so_on_every_table() -> None:
    definitions = build_definitions(load_task_file(ROOT / "tasks.yaml"), SIMULATED)
    for spec in definitions.resolve_all_asset_specs():
        if spec.group_name == "system":
            continue
        assert "模拟" in (spec.description or ""), spec.key
        assert "simulated" in spec.kinds, spec.key
