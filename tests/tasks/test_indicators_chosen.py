"""Indicators of the catalogue, other windows and formulas of one's own in the stored tables."""

import logging

import MyTT
import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators

pytestmark = pytest.mark.slow

MYTREND = {"name": "MYTREND", "formula": "A:=EMA(C,12); B:EMA(A,5); UP:CROSS(A,B);"}


@pytest.fixture
def market(lake, random_walk):
    bars = pl.concat([random_walk("600519.SH", 1), random_walk("000001.SZ", 2, suspended=(40, 41))])
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return bars


@pytest.fixture
def calculated(caplog):
    """Return the names of what was calculated from the first bar on in the last run."""
    caplog.set_level(logging.INFO)

    def names():
        lines = [record.getMessage() for record in caplog.records if "Calculating" in record.getMessage()]
        caplog.clear()
        listed = (line.partition("Calculating ")[2].partition(" from")[0].split(", ") for line in lines)
        return [name for names in listed for name in names]

    return names


def calculate(run, *indicators, **params):
    params = IndicatorParams.model_validate({"indicators": list(indicators), "periods": ["daily"], **params})
    return calculate_technical_indicators(params, run)


def column(lake, symbol, name, table="indicators_daily"):
    return lake.read(table, columns=["symbol", "date", name], symbols=[symbol]).sort("date")[name].to_numpy()


def test_each_choice_has_its_columns_beside_those_of_the_contract(computing, lake, market):
    result = calculate(computing, "MA", {"name": "MA", "windows": [30]}, {"name": "CCI", "n": 20}, MYTREND)
    assert result.rows == {"indicators_daily": 150 + 148}
    rows = market.filter(~pl.col("suspended"), symbol="000001.SZ").sort("date")
    close, high, low = (rows[name].to_numpy() for name in ("close", "high", "low"))
    fast = MyTT.EMA(close, 12)
    slow = MyTT.EMA(fast, 5)
    for name, expected in (
        ("ma30", MyTT.MA(close, 30)),
        ("cci20", MyTT.CCI(close, high, low, 20)),
        ("mytrend_b", slow),
        ("mytrend_up", np.concatenate([[np.nan], ((fast[:-1] <= slow[:-1]) & (fast[1:] > slow[1:])).astype(float)])),
    ):
        ours = column(lake, "000001.SZ", name)
        known = np.isfinite(expected) & np.isfinite(ours)
        assert known.sum() >= len(close) - 30
        np.testing.assert_allclose(ours[known], expected[known], rtol=1e-9, atol=1e-9)
    assert lake.read("indicators_daily")["macd"].null_count() == 298


def test_changed_parameters_compute_only_what_changed(computing, lake, market, calculated):
    calculate(computing, "MA", "RSI", MYTREND)
    assert set(calculated()) == {"MA", "RSI", "MYTREND"}
    before, rsi = (column(lake, "600519.SH", name) for name in ("mytrend_b", "rsi6"))
    calculate(computing, "MA", {"name": "MA", "windows": [30]}, "RSI", MYTREND)
    assert calculated() == ["MA"]
    assert calculate(computing, "MA", "RSI", MYTREND).status == "skipped"
    calculate(computing, "MA", "RSI", {**MYTREND, "formula": "B:EMA(C,5);"})
    assert calculated() == ["MYTREND"]
    np.testing.assert_array_equal(column(lake, "600519.SH", "rsi6"), rsi)
    after, close = column(lake, "600519.SH", "mytrend_b"), market.filter(symbol="600519.SH")["close"].to_numpy()
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, MyTT.EMA(close, 5), rtol=1e-9)


def test_a_formula_that_cannot_be_carried_on_leaves_the_others_carried(computing, lake, market, weekdays, calculated):
    last = {"name": "LAST", "formula": "X:HHV(H,BARSLAST(C>O)+1);"}
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-1]))
    calculate(computing, "MACD", last)
    assert set(calculated()) == {"MACD", "LAST"}
    lake.replace_all("daily_bars", market)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
    calculate(computing, "MACD", last)
    assert calculated() == ["LAST"]
    rows = market.filter(symbol="600519.SH").sort("date")
    newest = rows.with_row_index().filter(pl.col("close") > pl.col("open"))["index"][-1]
    assert column(lake, "600519.SH", "last_x")[-1] == rows["high"].to_numpy()[newest:].max()
    close = rows["close"].to_numpy()
    np.testing.assert_allclose(column(lake, "600519.SH", "macd_dif"), MyTT.EMA(close, 12) - MyTT.EMA(close, 26))


@pytest.mark.parametrize("periods", [["daily"], ["daily", "weekly", "monthly"]], ids=len)
def test_a_new_day_beside_such_a_formula_writes_the_rows_of_that_day(computing, lake, market, weekdays, periods):
    last = {"name": "LAST", "formula": "X:HHV(H,BARSLAST(C>O)+1);"}
    lake.replace_all("daily_bars", market.filter(pl.col("date") < weekdays[-1]))
    calculate(computing, "MACD", last, periods=periods)
    lake.replace_days("daily_bars", market.filter(pl.col("date") == weekdays[-1]), [weekdays[-1]])
    result = calculate(computing, "MACD", last, periods=periods)
    stored = {table: lake.read(table).sort("symbol", "date") for table in result.rows}
    calculate(computing, "MACD", last, periods=periods, force=True)
    for table, rows in stored.items():
        assert rows.equals(lake.read(table).sort("symbol", "date"))
        assert result.rows[table] == 2


def test_a_window_longer_than_the_history_is_null_and_said(computing, lake, market):
    result = calculate(computing, {"name": "MA", "windows": [5, 2000]})
    assert np.isnan(column(lake, "600519.SH", "ma2000")).all()
    assert "ma2000" in result.message
    assert "ma5" not in result.message.replace("ma2000", "")


@pytest.mark.parametrize("period", ["weekly", "monthly"])
def test_weeks_and_months_have_all_indicators_too(computing, lake, market, period):
    calculate(computing, {"name": "VOL", "windows": [2]}, periods=[period])
    every = {"weekly": "1w", "monthly": "1mo"}[period]
    days = market.filter(symbol="600519.SH").sort("date")
    rows = days.group_by_dynamic("date", every=every).agg(pl.col("volume").sum())
    expected = MyTT.MA(rows["volume"].to_numpy().astype(float), 2)
    np.testing.assert_allclose(column(lake, "600519.SH", "vol_ma2", f"indicators_{period}"), expected)


def test_a_formula_that_gives_no_value_on_the_newest_day_has_its_own_reason(computing, lake, market):
    result = calculate(computing, {"name": "gap", "formula": "X:IF(C>0,DRAWNULL,C);"}, periods=["daily"])
    assert "No symbol has a value of gap_x (daily) on the newest day: " in result.message
    assert "or the formula gives none on that day, as with DRAWNULL." in result.message
