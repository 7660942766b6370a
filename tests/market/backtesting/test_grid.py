"""Many backtests of one market: the same figures in one process and in several, and windows that see no later day."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.market.backtesting.engine import backtest, ordered
from mystocks_dagster.market.backtesting.grid import Laboratory, combinations, run_trials, trial_of, windows
from mystocks_dagster.market.backtesting.market import prepare
from mystocks_dagster.market.backtesting.terms import Terms

DAYS = [day for n in range(90) if (day := date(2024, 1, 2) + timedelta(days=n)).weekday() < 5]
NO_EVENTS = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})
TERMS = Terms(initial_capital=200_000)


@pytest.fixture(scope="module")
def frames():
    noise, rows, said = np.random.default_rng(2), [], []
    for symbol in ("600000.SH", "000001.SZ", "300001.SZ"):
        before = 12.0
        for day in DAYS:
            opened, close = (round(before * (1 + move), 2) for move in noise.uniform(-0.04, 0.04, 2))
            rows.append((symbol, day, opened, max(opened, close), min(opened, close), close, before, 10**6))
            said += [(symbol, day, side) for side in ("buy", "sell") if noise.uniform() < 0.2]
            before = close
    names = ["symbol", "date", "open", "high", "low", "close", "prev_close", "volume"]
    bars = pl.DataFrame(rows, schema=names, orient="row").with_columns(amount=1e7, is_st=False, suspended=False)
    return bars, pl.DataFrame(said, schema=["symbol", "date", "side"], orient="row")


@pytest.fixture(scope="module")
def laboratory(frames):
    bars, signals = frames
    market = prepare(DAYS, bars, NO_EVENTS)
    return Laboratory(market, {"a": ordered(market, signals)[""]})


@pytest.mark.slow
def test_several_processes_find_what_one_finds(laboratory):
    points = combinations({"max_positions": [1, 2, 3], "slippage_ticks": [0, 1, 2], "holding_days": [3, None]})
    trials = [trial_of(TERMS, point, "a", range(len(DAYS)), ()) for point in points]
    counted = []
    together = run_trials(laboratory, trials, processes=2, done=counted.append)
    assert together == run_trials(laboratory, trials, processes=1)
    assert counted == list(range(1, 19))
    assert len({figures["final_equity"] for figures in together}) > 10


def test_a_window_is_a_backtest_of_its_days_alone(laboratory, frames):
    bars, signals = frames
    span = range(20, 40)
    part = DAYS[span.start : span.stop]
    inside = pl.col("date").is_in(part)
    alone = backtest(prepare(part, bars.filter(inside), NO_EVENTS), signals.filter(inside), TERMS)
    figures = laboratory.run(trial_of(TERMS, {}, "a", span, ()))
    assert (figures["final_equity"], figures["trades"]) == (alone.balances[-1].equity, len(alone.trades))
    assert figures["trades"] > 5


def test_a_window_is_measured_against_the_benchmark_of_its_days(laboratory):
    values = [100.0 + n for n in range(len(DAYS))]
    figures = laboratory.run(trial_of(TERMS, {}, "a", range(20, 40), values))
    assert figures["benchmark_return"] == pytest.approx(139 / 120 - 1)


def test_each_test_follows_its_training_and_none_overlap():
    found = windows(100, 40, 25)
    assert [(window.train, window.test) for window in found] == [
        (range(40), range(40, 65)), (range(25, 65), range(65, 90)), (range(50, 90), range(90, 100)),
    ]  # fmt: skip
