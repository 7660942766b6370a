"""Two tasks that write one table at once: neither loses what the other has written."""

import subprocess
import sys
from functools import partial

import polars as pl
import pytest

from mystocks_dagster.errors import Overtaken
from mystocks_dagster.lake.bulk import Rewrite
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks import indicator_carry, strategy
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.overtaken import unless_overtaken
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

PERIODS = ["daily", "weekly"]
COLUMNS = ["symbol", "date", "close_hfq", "ma5", "ma20", "macd_dif", "macd", "rsi6"]

TASK = """
import json, logging, sys
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskRun

run = TaskRun(task_id="task", run_id="run", attempt=1, settings=Settings.from_env(),
              logger=logging.getLogger(), report_progress=lambda *_: None)
params = IndicatorParams(indicators=json.loads(sys.argv[1]), periods=["daily", "weekly"])
print("ready", flush=True)
sys.stdin.readline()
calculate_technical_indicators(params, run)
"""


@pytest.fixture
def market(lake, random_walk):
    bars = pl.concat([random_walk("600519.SH", 1), random_walk("000001.SZ", 2)])
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return bars


def calculate(run, *indicators):
    return calculate_technical_indicators(IndicatorParams(indicators=[*indicators], periods=PERIODS), run)


def stored(lake):
    return [lake.read(f"indicators_{period}", columns=COLUMNS).sort("symbol", "date") for period in PERIODS]


def rebuilt(lake, run):
    """Return the tables as one task writes them that calculates everything."""
    before = stored(lake)
    params = IndicatorParams(indicators=["MA", "MACD", "RSI"], periods=PERIODS, force=True)
    calculate_technical_indicators(params, run)
    return before, stored(lake)


def once_before(monkeypatch, owner, name, other):
    """Let `other` happen once just before the next call of a function."""
    function = getattr(owner, name)

    def late(*arguments, **named):
        monkeypatch.setattr(owner, name, function)
        other()
        return function(*arguments, **named)

    monkeypatch.setattr(owner, name, late)


def test_a_first_run_keeps_the_columns_that_another_wrote_meanwhile(computing, lake, market, monkeypatch):
    once_before(monkeypatch, Rewrite, "commit", partial(calculate, computing, "MACD", "RSI"))
    assert calculate(computing, "MA").status == "success"
    before, after = rebuilt(lake, computing)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))
    assert before[0]["macd"].null_count() == 0


def test_a_new_day_keeps_the_columns_that_another_wrote_meanwhile(computing, lake, market, weekdays, monkeypatch):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-1]))
    for indicators in (["MA"], ["MACD", "RSI"]):
        calculate(computing, *indicators)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
    once_before(monkeypatch, indicator_carry, "write", partial(calculate, computing, "MACD", "RSI"))
    assert calculate(computing, "MA").status == "success"
    before, after = rebuilt(lake, computing)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))
    assert before[0]["date"].max() == weekdays[-1]


def test_bars_that_came_meanwhile_are_not_lost_to_an_older_calculation(computing, lake, market, weekdays, monkeypatch):
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-2]))
    for indicators in (["MA"], ["MACD", "RSI"]):
        calculate(computing, *indicators)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-2]), [weekdays[-2]])

    def other():
        lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
        calculate(computing, "MACD", "RSI")

    once_before(monkeypatch, indicator_carry, "write", other)
    calculate(computing, "MA")
    before, after = rebuilt(lake, computing)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))
    assert before[0]["date"].max() == weekdays[-1]


def test_signals_of_another_task_stay(computing, lake, market, monkeypatch):
    calculate(computing, "MA", "MACD", "RSI")
    signals = partial(calculate_strategy_signals, run=computing)
    signals(SignalParams(strategies=["breakout"]))
    other = partial(signals, SignalParams(strategies=["rsi_reversion"]))
    once_before(monkeypatch, strategy, "write_changes", other)
    signals(SignalParams(strategies=["ma_crossover"]))
    found = lake.read("signals").sort("symbol", "date", "strategy", "side")
    signals(SignalParams(strategies=["breakout", "ma_crossover", "rsi_reversion"], force=True))
    assert lake.read("signals").sort("symbol", "date", "strategy", "side").equals(found)
    assert found["strategy"].n_unique() == 3


def test_a_task_that_is_overtaken_each_time_says_so(lake, market, computing):
    calculate(computing, "MA")

    def overtaken():
        calculate_technical_indicators(IndicatorParams(indicators=["MACD"], periods=["daily"], force=True), computing)
        lake.replace_from("indicators_daily", lake.read("indicators_daily"), market["date"].min(), {})

    with pytest.raises(Overtaken, match=r"Another task wrote rows of indicators_daily.*Run the task again"):
        unless_overtaken(lake, ("indicators_daily",), overtaken, computing.logger)


@pytest.mark.slow
def test_two_processes_that_write_other_columns_at_once_lose_none(computing, lake, market, weekdays, monkeypatch):
    own = market.filter(pl.col("date") < weekdays[-3])
    lake.replace_all("daily_bars", own)
    for day in (None, *weekdays[-3:]):
        if day is not None:
            lake.replace_days("daily_bars", market.filter(pl.col("date") == day), [day])
        chosen = ('["MA"]', '["MACD", "RSI"]')
        started = [
            subprocess.Popen(
                [sys.executable, "-c", TASK, names],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for names in chosen
        ]  # fmt: skip
        assert [process.stdout.readline() for process in started] == ["ready\n"] * 2
        for process in started:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in started:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    before, after = rebuilt(lake, computing)
    assert all(one.equals(other) for one, other in zip(before, after, strict=True))
