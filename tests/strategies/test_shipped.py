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


def bars(close, amount) -> pl.DataFrame:
    prices = pl.Series(close)
    return rows(amount=amount).with_columns(close_hfq=prices, high_hfq=prices, low_hfq=prices)


def signals(frame, name, **params):
    found = signals_of(choice_of({"name": name, **params}), frame)
    return [(DAY.index(day), side) for day, side in found.select("date", "side").iter_rows()]


def test_a_breakout_needs_a_new_high_and_a_large_amount():
    close = [10.0, 11, 10, 12, 13, 9, 10.5, 12, 14]
    amount = [1.0, 1, 1, 2, 9, 1, 1, 1, 9]
    frame = bars(close, amount)
    # Bar 3 is the first high above the three before it with twice their amount; bar 4 goes on; bar 8 is the next.
    assert signals(frame, "breakout", days=2, exit_days=2, times=2) == [(3, "buy"), (5, "sell"), (8, "buy")]


def test_of_several_breakouts_the_largest_amount_against_its_mean_comes_first():
    close, amount = [10.0, 11, 10, 12], [1.0, 1, 1, 3]
    frame = bars(close, amount)
    (signal,) = signals_of(choice_of({"name": "breakout", "days": 2, "exit_days": 2}), frame).to_dicts()
    assert signal["score"] == 3.0
    assert signal["detail"] == "close_hfq 12.0 high 11.0 low 10.0 amount_ratio 3.0"


def board(close, limit, low):
    return rows(close=close, limit_up=limit, low=low)


def test_a_board_is_a_close_at_the_limit_of_exactly_so_many_days():
    close, limit = [10.0, 11.0, 12.1, 13.31, 13.0], [11.0, 11.0, 12.1, 13.31, 14.64]
    frame = board(close, limit, [9.9] * 5)
    assert signals(frame, "limit_up") == [(1, "buy"), (4, "sell")]
    assert signals(frame, "limit_up", boards=2) == [(2, "buy"), (4, "sell")]
    assert signals(frame, "limit_up", boards=4) == [(4, "sell")]


def test_a_board_that_was_sealed_all_day_is_left_out_unless_it_is_asked_for():
    frame = board([10.0, 11.0], [11.0, 11.0], [9.9, 11.0])
    assert signals(frame, "limit_up") == []
    assert signals(frame, "limit_up", traded=False) == [(1, "buy")]


def test_a_board_whose_limit_is_unknown_gives_no_signal():
    assert signals(board([10.0, 11.0, 10.0], [11.0, None, 12.1], [9.9] * 3), "limit_up") == []


def test_a_board_is_ordered_at_the_next_limit():
    frame = board([10.0, 11.0, 11.0], [11.0, 11.0, 12.1], [9.9] * 3)
    entries = signals_of(choice_of("limit_up"), frame).select("side", "entry").rows()
    assert entries == [("buy", "board"), ("sell", None)]


def test_rsi_speaks_when_it_comes_back():
    frame = rows(rsi6=[30.0, 15, 25, 85, 90, 79])
    assert signals(frame, "rsi_reversion") == [(2, "buy"), (5, "sell")]
    assert signals(frame, "rsi_reversion", oversold=10) == [(5, "sell")]


def test_a_close_that_comes_back_into_the_band_buys_and_the_target_sells():
    lines = {"boll_lower": [9.0] * 5, "boll_mid": [10.0] * 5, "boll_upper": [11.0] * 5}
    frame = rows(**lines).with_columns(close_hfq=pl.Series([9.5, 8.5, 9.2, 10.1, 11.2]))
    assert signals(frame, "boll_reversion") == [(2, "buy"), (3, "sell")]
    assert signals(frame, "boll_reversion", target="upper") == [(2, "buy"), (4, "sell")]


def market(name, **columns):
    frames = []
    for symbol, values in columns.items():
        frame = rows(symbol, **{name: values})
        frames.append(frame.with_columns(is_st=pl.lit(symbol.startswith("st"))))
    return pl.concat(frames).with_columns(pl.col("symbol").cast(pl.Enum(sorted(columns)))).sort("symbol", "date")


def first_day(frame, name, **params):
    """Return the symbols that are bought on 1 February 2024, the 32nd day, in the order of their score."""
    found = signals_of(choice_of({"name": name, **params}), frame).filter(date=DAY[31], side="buy")
    return found.sort("score", descending=True)["symbol"].cast(pl.String).to_list()


def test_momentum_holds_the_strongest_of_the_days_before_the_skipped_ones():
    falls, rises, late = [40.0 - i for i in range(35)], [10.0 + i for i in range(35)], [10.0] * 30 + [99.0] * 5
    frame = market("close_hfq", falls=falls, rises=rises, late=late, st_rises=rises)
    assert first_day(frame, "momentum", days=20, skip=5, top=2) == ["rises", "late"]
    assert first_day(frame, "momentum", days=20, skip=0, top=1) == ["late"]
    assert first_day(frame, "momentum", days=40, top=3) == []


def test_value_holds_the_cheapest_that_earn():
    columns = {
        "cheap": [5.0] * 35,
        "dear": [50.0] * 35,
        "loss": [-5.0] * 35,
        "unknown": [None] * 35,
        "st_one": [1.0] * 35,
    }
    frame = market("pe_ttm", **columns).with_columns(pb=pl.lit(1.0), ps_ttm=pl.lit(1.0))
    assert first_day(frame, "value_rank", top=3) == ["cheap", "dear"]


def test_fundamentals_hold_the_best_known_figure():
    frame = market("roe_ttm", good=[0.3] * 35, fair=[0.1] * 35, bad=[-0.1] * 35, unknown=[None] * 35)
    frame = frame.with_columns(net_profit_growth=pl.lit(0.0), revenue_growth=pl.lit(0.0))
    assert first_day(frame, "statement_rank", top=2) == ["good", "fair"]
