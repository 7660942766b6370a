"""Strategies: small series by hand, and long ones against loops and MyTT's CROSS."""

from datetime import date, timedelta

import MyTT
import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.indicators import INDICATORS, indicator_table
from mystocks_dagster.strategies.choices import choice_of
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.strategies.registry import DEFAULT

DAY = [date(2024, 1, 1) + timedelta(days=i) for i in range(500)]


def rows(symbol="600519.SH", **columns) -> pl.DataFrame:
    length = len(next(iter(columns.values())))
    return pl.DataFrame(
        {"symbol": [symbol] * length, "date": DAY[:length], "close_hfq": [1.0] * length, **columns}, strict=False
    )


def said(frame, strategy):
    rows = signals_of(choice_of(strategy), frame).iter_rows(named=True)
    return [(DAY.index(row["date"]), row["side"]) for row in rows]


def test_ma5_crossing_ma20_buys_above_and_sells_below():
    frame = rows(ma5=[9.0, 9.5, 10.5, 11.0, 10.0, 9.0], ma20=[10.0] * 6)
    assert said(frame, "ma_crossover") == [(2, "buy"), (5, "sell")]


def test_touching_from_above_and_rising_again_is_a_crossing_as_in_tongdaxin():
    assert said(rows(ma5=[11.0, 10.0, 11.0], ma20=[10.0] * 3), "ma_crossover") == [(2, "buy")]


def test_the_first_bar_with_both_averages_is_no_crossing():
    assert said(rows(ma5=[9.0, 11.0, 11.0], ma20=[None, 10.0, 10.0]), "ma_crossover") == []


def test_last_digits_are_no_crossing():
    assert said(rows(ma5=[3.1, 3.1000000000000005, 3.1], ma20=[3.1, 3.1, 3.1000000000000005]), "ma_crossover") == []


def test_kdj_speaks_when_k_and_d_were_beyond_the_threshold_and_cross():
    frame = rows(kdj_k=[85.0, 90.0, 79.0, 15.0, 10.0, 19.0], kdj_d=[82.0, 85.0, 83.0, 25.0, 15.0, 16.0])
    assert said(frame, "kdj_overbought") == [(2, "sell"), (5, "buy")]


def test_kdj_is_silent_when_only_k_was_beyond_the_threshold():
    assert said(rows(kdj_k=[81.0, 70.0], kdj_d=[79.0, 78.0]), "kdj_overbought") == []


def test_the_detail_gives_the_values():
    signals = signals_of(choice_of("ma_crossover"), rows(ma5=[9.0, 10.123456], ma20=[10.0, 10.0]))
    assert signals.rows() == [("600519.SH", DAY[1], "ma_crossover", "buy", "ma5 10.1235 ma20 10.0", None, None, None)]


def test_no_symbol_sees_the_bars_of_another():
    low, high = (
        rows("000001.SZ", ma5=[9.0, 9.0], ma20=[10.0, 10.0]),
        rows("000002.SZ", ma5=[11.0, 11.0], ma20=[10.0, 10.0]),
    )
    assert signals_of(choice_of("ma_crossover"), pl.concat([low, high])).is_empty()


@pytest.fixture(scope="module")
def table():
    """Indicators of a random walk with 500 bars."""
    rng = np.random.default_rng(8)
    close = 20 * np.exp(np.cumsum(rng.normal(0, 0.02, 500)))
    bars = pl.DataFrame({"symbol": "600519.SH", "date": DAY, "close": close, "high": close * 1.01, "low": close * 0.99})
    return indicator_table(bars, INDICATORS)


def test_crossings_are_those_of_mytt(table):
    ma5, ma20 = table["ma5"].to_numpy(), table["ma20"].to_numpy()
    # MyTT takes a missing value for "not above", so it sees a crossing on the first full bar: leave that one out.
    up, down = MyTT.CROSS(ma5[19:], ma20[19:]), MyTT.CROSS(ma20[19:], ma5[19:])
    expected = sorted([(i + 19, "buy") for i in np.flatnonzero(up)] + [(i + 19, "sell") for i in np.flatnonzero(down)])
    assert said(table, "ma_crossover") == expected
    assert len(expected) > 10


def test_divergences_are_those_of_a_loop(table):
    close, dif = table["close_hfq"].to_list(), table["macd_dif"].to_list()
    expected = []
    for t in range(33 + 20, 500):
        closes, difs = close[t - 20 : t], dif[t - 20 : t]
        if close[t] < min(closes) and dif[t] > min(difs) and dif[t] < 0:
            expected.append((t, "buy"))
        if close[t] > max(closes) and dif[t] < max(difs) and dif[t] > 0:
            expected.append((t, "sell"))
    assert said(table, "macd_divergence") == expected
    assert {side for _, side in expected} == {"buy", "sell"}


@pytest.mark.parametrize("name", DEFAULT)
def test_no_signal_knows_the_future(table, name):
    choice = choice_of(name)
    whole = signals_of(choice, table)
    for end in (60, 200, 333):
        assert signals_of(choice, table.head(end)).equals(whole.filter(pl.col("date") <= DAY[end - 1]))
