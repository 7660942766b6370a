"""Dagster's catalog says of a table that jobs write what has changed since: the code, the parameters or the rows."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from support.project import Folder

from mystocks_dagster.factory.build import build_definitions
from mystocks_dagster.taskfile.reader import load_task_file

BARS = """
    from datetime import date, timedelta
    from pathlib import Path
    import polars as pl
    from mystocks_dagster.market.clock import SHANGHAI
    from mystocks_dagster.market.tables.market import DAILY_BARS
    from mystocks_dagster.tasks.run import declares

    DAYS = [day for day in (date(2024, 1, 1) + timedelta(number) for number in range(60)) if day.weekday() < 5]

    @declares(writes=("daily_bars",))
    def bars(params, run):
        rise = float(Path("rise").read_text())
        prices = [10 + rise * abs(20 - number % 40) for number in range(len(DAYS))]
        rows = pl.DataFrame({"symbol": "600519.SH", "date": DAYS, "close": prices, "is_st": False, "suspended": False})
        rows = rows.with_columns(
            prev_close=pl.col("close").shift(1).fill_null(10.0), volume=pl.lit(100), amount=pl.lit(1000.0),
            open=pl.col("close"), high=pl.col("close"), low=pl.col("close"),
        )
        lake = run.lake("real")
        return {"rows": {"daily_bars": lake.replace_days("daily_bars", DAILY_BARS.typed(rows), DAYS)},
                "days": {"daily_bars": DAYS}}

    @declares(also_writes=("indicators_daily",))
    def correction(params, run):
        return {"rows": {"indicators_daily": 1}}
"""
TASKS = """
task_packages: [loads]
tasks:
  - {task_id: bars, task_type: data_sync, task_module: loads, task_function: bars}
  - {task_id: averages, task_type: indicator_calc, task_module: mystocks_dagster.tasks.indicators,
     task_function: calculate_technical_indicators, params: {indicators: [MA], periods: [daily]}}
  - {task_id: crossings, task_type: indicator_calc, task_module: mystocks_dagster.tasks.strategy,
     task_function: calculate_strategy_signals, params: {strategies: [ma_crossover]}}
  - {task_id: correction, task_type: cron, task_module: loads, task_function: correction}
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder.root)
    folder.write("loads.py", BARS)
    folder.write("rise", "0.1")
    return folder.write("tasks.yaml", TASKS)


def run(project: Path, instance: dg.DagsterInstance, *tasks: str, **config: object) -> None:
    definitions = build_definitions(load_task_file(project))
    for task in tasks:
        ops = {"ops": {task: {"config": config}}} if config else None
        assert definitions.resolve_job_def(task).execute_in_process(instance=instance, run_config=ops).success


def causes(project: Path, instance: dg.DagsterInstance, table: str = "indicators_daily") -> list[str]:
    """Return what Dagster's catalog says of a table."""
    graph = build_definitions(load_task_file(project)).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return [cause.reason for cause in resolver.get_stale_causes(dg.AssetKey(table))]


def test_indicators_with_other_parameters_are_stale_until_they_are_calculated(
    project: Path, instance: dg.DagsterInstance
) -> None:
    run(project, instance, "bars", "averages")
    assert causes(project, instance) == []
    project.write_text(TASKS.replace("[MA]", "[MA, RSI]"))
    assert causes(project, instance) == ["has a new code version"]
    run(project, instance, "averages")
    assert causes(project, instance) == []


def test_signals_are_stale_after_new_indicators(project: Path, instance: dg.DagsterInstance) -> None:
    run(project, instance, "bars", "averages", "crossings")
    assert causes(project, instance, "signals") == []
    project.with_name("rise").write_text("0.2")
    run(project, instance, "bars", "averages")
    assert causes(project, instance, "signals") == ["has a new dependency data version"]
    run(project, instance, "crossings")
    assert causes(project, instance, "signals") == []


def test_signals_that_new_indicators_did_not_change_are_not_stale_after_their_run(
    project: Path, instance: dg.DagsterInstance
) -> None:
    run(project, instance, "bars", "averages", "crossings")
    project.write_text(TASKS.replace("[MA]", "[MA, RSI]"))
    run(project, instance, "averages")
    assert causes(project, instance, "signals") == ["has a new dependency data version"]
    run(project, instance, "crossings")
    assert causes(project, instance, "signals") == []
    told = instance.get_latest_materialization_event(dg.AssetKey("signals"))
    assert told is not None
    assert told.asset_materialization is not None
    assert told.asset_materialization.metadata["mystocks/status"].value == "skipped"


@pytest.mark.parametrize("part", [{"symbols": ["600519.SH"]}, {"indicators": ["MA"]}])
def test_a_calculation_of_a_part_that_changed_nothing_says_nothing_of_the_whole_table(
    project: Path, instance: dg.DagsterInstance, part: dict[str, object]
) -> None:
    project.write_text(TASKS.replace("[MA]", "[MA, RSI]"))
    run(project, instance, "bars", "averages")
    table = dg.AssetKey("indicators_daily")
    whole = instance.get_latest_materialization_event(table)
    run(project, instance, "averages", **part)
    assert instance.get_latest_materialization_event(table) == whole
    run(project, instance, "averages")
    assert instance.get_latest_materialization_event(table) != whole


def test_one_run_with_other_parameters_leaves_a_table_that_is_stale(
    project: Path, instance: dg.DagsterInstance
) -> None:
    run(project, instance, "bars", "averages")
    run(project, instance, "averages", indicators=["RSI"])
    assert causes(project, instance) == ["has a new code version"]


def test_what_another_task_writes_into_a_table_is_no_new_code_of_its_owner(
    project: Path, instance: dg.DagsterInstance
) -> None:
    run(project, instance, "bars", "averages", "correction")
    assert causes(project, instance) == []
