"""The rows of strategies year by year."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals
from mystocks_dagster.tasks.strategy_rows import Needs, read_rows
from mystocks_dagster.tasks.strategy_stretches import read_stretches

BANK, DRINK = "000001.SZ", "600519.SH"


@pytest.fixture
def market(computing, lake, random_walk):
    """Two stocks over a New Year, one of which pauses from November to January."""
    bars = random_walk(DRINK, 1).vstack(random_walk(BANK, 2, suspended=tuple(range(50, 100))))
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
    return bars


def test_each_year_begins_with_the_last_bars_of_the_year_before(lake, market):
    choice = choice_of("breakout")
    stretches = list(read_stretches(lake, [choice], Needs(choice.definition.reads, date.min, 21)))
    assert [stretch.since for stretch in stretches] == [date.min, date(2025, 1, 1)]
    traded = market.filter(~pl.col("suspended")).sort("symbol", "date")
    before = traded.filter(pl.col("date") < date(2025, 1, 1)).group_by("symbol", maintain_order=True).tail(21)
    after = traded.filter(pl.col("date") >= date(2025, 1, 1))
    expected = pl.concat([before, after]).sort("symbol", "date")
    assert stretches[1].rows.select(pl.col("symbol").cast(pl.String), "date").equals(expected.select("symbol", "date"))


def test_a_pause_over_new_year_changes_no_signal(computing, lake, market):
    entry = {"name": "breakout", "days": 5, "times": 0.5}
    calculate_strategy_signals(SignalParams(strategies=[entry]), computing)
    choice = choice_of(entry)
    whole = signals_of(choice, read_rows(lake, [choice], Needs(choice.definition.reads, date.min, None)))
    names = ["symbol", "date", "side", "detail", "score"]
    expected = whole.with_columns(pl.col("symbol").cast(pl.String)).select(names).sort(names[:3])
    assert lake.read("signals").select(names).sort(names[:3]).equals(expected)
    assert expected.filter(pl.col("date") < date(2025, 1, 20), symbol=DRINK).height > 0


def test_new_days_in_a_new_year_read_the_bars_of_the_old_one(lake, market, weekdays):
    choice = choice_of("breakout")
    first = next(day for day in weekdays if day.year == 2025)
    (stretch,) = read_stretches(lake, [choice], Needs(choice.definition.reads, first, 21))
    assert stretch.since == first
    before = stretch.rows.filter(pl.col("date") < first).group_by("symbol").len()
    assert before.height == 2
    assert min(before["len"]) >= 21


def test_after_a_new_day_the_signals_of_all_years_are_counted(computing, lake, market, weekdays):
    newest = weekdays[-1]
    lake.replace_all("daily_bars", market.filter(pl.col("date") < newest))
    for day in (None, newest):
        if day:
            lake.replace_days("daily_bars", market.filter(pl.col("date") == day), [day])
        calculate_technical_indicators(IndicatorParams(periods=["daily"]), computing)
        result = calculate_strategy_signals(SignalParams(), computing)
    stored = dict(lake.read("signals")["strategy"].value_counts().iter_rows())
    years = lake.read("signals")["date"].dt.year().unique()
    assert len(years) == 2
    assert result.metadata["signals"] == stored
