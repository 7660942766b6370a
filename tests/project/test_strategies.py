"""`mystocks strategies`: the list, a new file that works, and the test of it in a guarded process."""

import logging
import os
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from support.commands import Commands

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskRun

pytestmark = pytest.mark.slow

PROPHET = f'''
import os
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

assert os.getpid() != {os.getpid()}, "a user's code ran in the command's own process"

@strategy(reads=["close_hfq"])
def prophet(by: float = 1.0) -> Rules:
    """Know tomorrow."""
    close = pl.col("close_hfq")
    return Rules(buy=close.shift(-1) > close * by, sell=close.shift(-1) < close)
'''


@pytest.fixture
def project(cli: Commands) -> Commands:
    """A project with 200 bars of one stock and their adjusted closes."""
    close = np.round(20 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.03, 200))), 2)
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(200)]
    bars = pl.DataFrame({"symbol": "600519.SH", "date": days, **dict.fromkeys(("open", "high", "low", "close"), close)})
    bars = bars.with_columns(prev_close=pl.col("close").shift(1), volume=1000, amount=pl.col("close") * 1000)
    bars = DAILY_BARS.complete(bars.with_columns(suspended=pl.lit(False))).cast(DAILY_BARS.dtypes)
    lake = Lake(str(cli.folder.root / "data"), "real")
    lake.replace_all("daily_bars", bars)
    lake.replace_all("indicators_daily", INDICATORS_DAILY.complete(bars.select("symbol", "date", close_hfq="close")))
    return cli


def test_a_new_strategy_is_listed_shown_and_passes_its_test(project):
    project("strategies", "new", "mine")
    (listed,) = [item for item in project.json("strategies", "list") if item["name"] == "mine"]
    assert (listed["shipped"], listed["incremental"], listed["lookback"]) == (False, True, "2 * days")
    assert listed["params"]["days"]["maximum"] == 250
    assert "bars of the average" in project("strategies", "show", "mine")
    outcome = project.json("strategies", "check", "mine", "-p", "times=1.01")
    assert outcome["passed"]
    assert outcome["signals"] > 2


def test_one_that_looks_ahead_fails_and_never_runs_outside_its_process(project):
    project.folder.write("strategies/prophet.py", PROPHET)
    assert "Know tomorrow." in project("strategies", "list")
    text = project("strategies", "check", "prophet", "-p", "by=1.02", code=1)
    assert "600519.SH" in text
    assert "without the days after" in text


def test_the_test_of_one_that_looks_ahead_is_all_in_chinese(project, monkeypatch):
    project.folder.write("strategies/prophet.py", PROPHET)
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    text = project("strategies", "check", "prophet", "-p", "by=1.02", code=1)
    assert "失败 prophet 用到了未来数据" in text
    assert "buy，用全部数据时：有信号；去掉 " in text
    assert "之后的数据时：没有信号。" in text
    assert "with all days" not in text


TWO_AVERAGES = '''
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

@strategy(reads=["close_hfq"], lookback="slow")
def averages(fast: int, slow: int) -> Rules:
    """Compare two averages."""
    close = pl.col("close_hfq")
    quick, slow_ = close.rolling_mean(fast), close.rolling_mean(slow)
    return Rules(buy=quick > slow_, sell=quick < slow_)
'''


def test_my_strategy_has_parameters_without_a_default_and_i_am_told_what_to_write(project, monkeypatch):
    project.folder.write("strategies/averages.py", TWO_AVERAGES)
    text = project("strategies", "check", "averages", code=1)
    assert (
        "averages needs a value of fast, slow: add -p fast=VALUE -p slow=VALUE, "
        "see `mystocks strategies show averages`." in " ".join(text.split())
    )
    assert "mystocks_dagster" not in text
    text = project("strategies", "check", "formula", "-p", "buy=C>O", code=1)
    assert "needs a value of sell: add -p sell=VALUE" in text
    given = ("-p", "fast=3", "-p", "slow=8")
    text = project("strategies", "check", "averages", *given, "-p", "slwo=1", code=1)
    assert "averages takes no parameter 'slwo'. Did you mean 'slow'?" in text
    text = project("strategies", "check", "averages", "-p", "fast=3", "-p", "slow=long", code=1)
    assert "averages: slow must be a whole number, found 'long'" in text
    assert project.json("strategies", "check", "averages", *given)["passed"]
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    text = project("strategies", "check", "averages", code=1)
    assert "averages 的 fast、slow 需要给出值：请加上 -p fast=VALUE -p slow=VALUE，" in text


DRIFT = """
import polars as pl
from mystocks_dagster.strategies import indicator

@indicator(reads=["close_hfq"], outputs=["line"])
def drift() -> dict[str, pl.Expr]:
    \"\"\"Mean of the closes.\"\"\"
    return {"line": pl.col("close_hfq").rolling_mean(2)}
"""
READER = """
import polars as pl
from mystocks_dagster.strategies import Rules, strategy

@strategy(reads=["close_hfq", "drift_line"])
def reader() -> Rules:
    \"\"\"Buy below the line.\"\"\"
    close, line = pl.col("close_hfq"), pl.col("drift_line")
    return Rules(buy=close < line, sell=close > line)
"""


def test_my_strategy_reads_my_indicator_and_both_are_told_in_one_test(project):
    project.folder.write("indicators/drift.py", DRIFT)
    project.folder.write("strategies/reader.py", READER)
    lake = Lake(str(project.folder.root / "data"), "real")
    run = TaskRun(
        task_id="task",
        run_id="run",
        attempt=1,
        settings=Settings.from_env(),
        logger=logging.getLogger("task"),
        report_progress=lambda *_: None,
    )
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    calculate_technical_indicators(IndicatorParams(indicators=["drift"], periods=["daily"]), run)
    assert "; drift: 199 signals or values are the same at " in project("strategies", "check", "reader")
    project.folder.write("indicators/drift.py", DRIFT.replace("mean(2)", "mean(2).shift(-1)"))
    text = project("strategies", "check", "reader", code=1)
    assert "failed drift saw days that had not come" in text
    assert " line: " in text


def test_i_removed_a_strategy_from_tasks_yaml_and_the_list_says_that_its_signals_are_stored(project, monkeypatch):
    project.folder.write(
        "tasks.yaml",
        """
defaults: {task_type: manual}
tasks:
  - task_id: calc
    task_module: mystocks_dagster.tasks.strategy
    task_function: calculate_strategy_signals
    params: {strategies: [ma_crossover, {name: breakout, label: breakout_2}]}
""",
    )
    signals = [("ma_crossover", 1), ("breakout_2", 1), ("breakout", 1), ("look", 2)]
    days = [(name, date(2024, 1, day)) for name, number in signals for day in range(1, number + 1)]
    rows = [("600519.SH", day, name, "buy", 20.0, "") for name, day in days]
    frame = pl.DataFrame(rows, schema=["symbol", "date", "strategy", "side", "close", "detail"], orient="row")
    lake = Lake(str(project.folder.root / "data"), "real")
    lake.replace_all("signals", SIGNALS.typed(frame))
    text = project("strategies", "list")
    assert "2 signals of look are stored, which no task calculates: they stay as they are." in text
    assert "1 signals of breakout are stored" in text
    assert text.count("which no task calculates") == 2
    monkeypatch.setenv("MYSTOCKS_LANG", "zh")
    assert "已存储 look 的 2 个信号，但没有任务计算它们" in project("strategies", "list")
    monkeypatch.setenv("MYSTOCKS_LANG", "en")
    lake.replace_rows("signals", SIGNALS.empty(), "strategy IN ('look', 'breakout')")
    assert "which no task" not in project("strategies", "list")


def test_a_faulty_file_is_a_problem_of_the_project(project):
    project.folder.write("strategies/prophet.py", PROPHET.replace('    """Know tomorrow."""\n', ""))
    assert "prophet: it has no docstring" in project("check", code=1)
    assert "prophet.py:9" in project("strategies", "list")


def test_a_name_that_is_taken_or_is_no_name_is_refused(project):
    assert "There is a strategy or a file ma_crossover already" in project("strategies", "new", "ma_crossover", code=1)
    assert "cannot be a strategy's name" in project("strategies", "new", "My-Strategy", code=1)
    assert "Did you mean 'breakout'?" in project("strategies", "check", "brekout", code=1)
