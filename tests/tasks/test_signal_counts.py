"""The number of stored signals is noted with them, and counted anew where others have written."""

import polars as pl
import pytest

from mystocks_dagster.tasks import signal_counts
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals


@pytest.fixture
def before_the_newest(computing, lake, random_walk, weekdays):
    """All days but the newest are stored with their signals; returns the bars of the newest."""
    bars = random_walk("600519.SH", 1).vstack(random_walk("000001.SZ", 2))
    newest = bars["date"].max()
    lake.replace_all("daily_bars", bars.filter(pl.col("date") < newest))
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    calculate_strategy_signals(SignalParams(), computing)
    return bars.filter(date=newest)


def counted_in_table(lake) -> dict[str, int]:
    return dict(lake.read("signals")["strategy"].value_counts().iter_rows())


def add(lake, computing, bars):
    lake.replace_days("daily_bars", bars, [bars["date"][0]])
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    return calculate_strategy_signals(SignalParams(), computing).metadata["signals"]


def test_a_new_day_reads_no_signal_of_an_earlier_one(computing, lake, before_the_newest, monkeypatch):
    read, real = [], signal_counts._read
    monkeypatch.setattr(signal_counts, "_read", lambda lake, since=None: read.append(since) or real(lake, since))
    told = add(lake, computing, before_the_newest)
    assert told == counted_in_table(lake)
    assert read == [before_the_newest["date"][0]]


def test_what_another_program_has_removed_is_not_counted(computing, lake, before_the_newest):
    signals = lake.read("signals")
    day = signals["date"].min()
    lake.replace_days("signals", signals.clear(), [day])
    assert add(lake, computing, before_the_newest) == counted_in_table(lake)
    assert calculate_strategy_signals(SignalParams(), computing).metadata["signals"] == counted_in_table(lake)


def test_other_strategies_are_counted_although_they_are_not_computed(computing, lake, before_the_newest):
    some = SignalParams(strategies=["ma_crossover"])
    lake.replace_days("daily_bars", before_the_newest, [before_the_newest["date"][0]])
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    number = calculate_strategy_signals(some, computing).metadata["signals"]["ma_crossover"]
    assert number == counted_in_table(lake)["ma_crossover"]
    assert calculate_strategy_signals(SignalParams(), computing).metadata["signals"] == counted_in_table(lake)
