"""Many backtests of one market: the same figures in one process and in several, and windows that see no later day."""

import polars as pl
import pytest
from support.backtests import DAYS, NO_EVENTS, TERMS, frames_of_noise, laboratory_of_noise

from mystocks_dagster.market.backtesting.engine import backtest
from mystocks_dagster.market.backtesting.grid import combinations, run_trials, trial_of, windows
from mystocks_dagster.market.backtesting.market import prepare


@pytest.fixture(scope="module")
def frames():
    return frames_of_noise()


@pytest.fixture(scope="module")
def laboratory():
    return laboratory_of_noise()


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
