"""What a strategy of the project reads is compared with what the tasks of the file calculate."""

import json
import re

import pytest
from support.commands import Commands

TASKS = """
    defaults: {task_type: manual}
    tasks:
      - task_id: calc
        task_module: mystocks_dagster.tasks.indicators
        task_function: calculate_technical_indicators
        params: {indicators: [MA, {name: MA, windows: [7]}, {name: ZZ, formula: "B:ZIG(3,5); M:MA(CLOSE,5);"}]}
      - {task_id: find_signals, task_module: mystocks_dagster.tasks.strategy, task_function: calculate_strategy_signals,
         params: {strategies: [mine]}}
"""
STRATEGY = '''
    import polars as pl
    from mystocks_dagster.strategies import Rules, strategy


    @strategy(reads=["close_hfq", "COLUMN"], lookback=1)
    def mine() -> Rules:
        """Buy above the column."""
        return Rules(buy=pl.col("close_hfq") > pl.col("COLUMN"), sell=pl.col("close_hfq") < pl.col("COLUMN"))
'''


@pytest.fixture
def project(cli: Commands) -> Commands:
    cli.folder.write("tasks.yaml", TASKS)
    return cli


def test_a_column_that_looks_ahead_is_a_problem_of_the_strategy(project: Commands) -> None:
    project.folder.write("strategies/mine.py", STRATEGY.replace("COLUMN", "zz_b"))
    told = project("check", code=1)
    assert "strategies/mine.py:7:1: mine: it reads 'zz_b', whose value on a day depends on later days" in told
    (problem,) = json.loads(project("check", "--json", code=1))
    assert problem["hint"] == "A strategy knows no later day; read another column."


@pytest.mark.parametrize(
    ("column", "near"),
    [
        ("close_hqf", "close_hfq"),
        ("ma8", "ma7"),
        ("zz_d", "zz_b"),
        ("flow_line", "Add it to the indicators of a task."),
    ],
)
def test_a_column_that_no_task_calculates_is_a_warning_with_a_remedy(project: Commands, column: str, near: str) -> None:
    project.folder.write("strategies/mine.py", STRATEGY.replace("COLUMN", column))
    told = " ".join(project("check").split())
    assert f"warning: mine reads '{column}', which no task of tasks.yaml calculates" in told
    assert near in told
    assert project.json("check") == []


@pytest.mark.parametrize("column", ["ma5", "ma7", "zz_m", "open", "limit_up"])
def test_columns_that_are_there_are_neither(project: Commands, column: str) -> None:
    project.folder.write("strategies/mine.py", STRATEGY.replace("COLUMN", column))
    assert "warning" not in project("check")


def test_a_file_without_indicators_says_nothing_of_columns(project: Commands) -> None:
    project.folder.write("tasks.yaml", "tasks: []")
    project.folder.write("strategies/mine.py", STRATEGY.replace("COLUMN", "zz_b"))
    assert "zz_b" not in project("check")


SYNC = """
      - {task_id: bars, task_module: mystocks_dagster.tasks.data_sync, task_function: sync_daily_stock_data,
         params: {data_source: SOURCE}}
"""


@pytest.mark.parametrize(("source", "warns"), [("akshare", True), ("baostock", False), ("[tdx, baostock]", False)])
def test_a_strategy_whose_table_no_task_writes_is_a_warning(project: Commands, source: str, warns: bool) -> None:
    tasks = TASKS.replace("strategies: [mine]", "strategies: [ma_crossover, value_rank]")
    project.folder.write("tasks.yaml", tasks + SYNC.replace("SOURCE", source))
    told = " ".join(project("check").split())
    warning = (
        r"tasks\.yaml:9:\d+: warning: value_rank reads the table daily_valuation, "
        r"which no task of tasks\.yaml writes"
    )
    assert bool(re.search(warning, told)) is warns
    assert ("sync_daily_stock_data writes it with data_source: baostock." in told) is warns


def test_the_statements_of_a_strategy_are_written_by_their_task_alone(project: Commands) -> None:
    tasks = TASKS.replace("strategies: [mine]", "strategies: [{name: statement_rank}]")
    project.folder.write("tasks.yaml", tasks)
    assert "sync_financial_statements writes it with data_source: akshare." in " ".join(project("check").split())
    sync = SYNC.replace("sync_daily_stock_data", "sync_financial_statements").replace("SOURCE", "akshare")
    project.folder.write("tasks.yaml", tasks + sync)
    assert "warning" not in project("check")
