"""Performance figures, by hand and against empyrical."""

import math
from datetime import date, timedelta

import empyrical
import numpy as np
import pytest

from mystocks_dagster.market.backtesting.metrics import activity, compare, largest_fall, performance


def test_returns_drawdown_and_sharpe_of_three_days():
    measured = performance([100.0, 120.0, 90.0])
    assert measured.total_return == pytest.approx(-0.1)
    assert measured.max_drawdown == pytest.approx(0.25)  # 120 to 90
    # Returns +0.20 and -0.25: mean -0.025, sample deviation 0.45 / sqrt(2).
    assert measured.sharpe == pytest.approx(-0.025 / (0.45 / math.sqrt(2)) * math.sqrt(244))


def test_a_year_has_244_trading_days():
    doubled_in_half_a_year = [100.0 * 2 ** (day / 122) for day in range(123)]
    assert performance(doubled_in_half_a_year).annual_return == pytest.approx(3.0)


def test_a_few_days_say_nothing_of_a_year():
    assert performance([100.0, 101.0]).annual_return is None


def test_an_account_that_did_not_move_has_no_sharpe():
    assert performance([100.0] * 30) == (0.0, 0.0, 0.0, None, 0.0, None, None)


def test_one_day_is_enough_for_a_return_of_nothing():
    assert performance([100.0]) == (0.0, None, 0.0, None, None, None, None)


# ---- the same figures by another library

DAYS = [date(2025, 1, 1) + timedelta(days=number) for number in range(300)]


@pytest.fixture(scope="module")
def curves():
    """An equity curve and a benchmark of 300 days that move together and apart."""
    noise = np.random.default_rng(3)
    market = noise.normal(0.0003, 0.012, 299)
    own = 0.8 * market + noise.normal(0.0004, 0.008, 299)
    return [np.concatenate([[start], start * np.cumprod(1 + moves)]) for start, moves in ((1e6, own), (4000.0, market))]


def test_the_figures_are_those_of_empyrical(curves):
    equity, benchmark = curves
    own, other = equity[1:] / equity[:-1] - 1, benchmark[1:] / benchmark[:-1] - 1
    measured, compared = performance(equity), compare(equity, benchmark)
    alpha, beta = empyrical.alpha_beta(own, other, annualization=244)
    assert measured == pytest.approx(
        (
            empyrical.cum_returns_final(own),
            empyrical.annual_return(own, annualization=244),
            -empyrical.max_drawdown(own),
            empyrical.sharpe_ratio(own, annualization=244),
            empyrical.annual_volatility(own, annualization=244),
            empyrical.sortino_ratio(own, annualization=244),
            empyrical.calmar_ratio(own, annualization=244),
        )
    )
    assert compared == pytest.approx(
        (empyrical.cum_returns_final(other), measured.total_return - empyrical.cum_returns_final(other), beta, alpha)
    )


def test_the_days_of_the_largest_fall():
    equity = [100.0, 120.0, 90.0, 110.0, 120.0, 115.0]
    assert largest_fall(DAYS[:6], equity) == (DAYS[1], DAYS[2], DAYS[4])
    assert largest_fall(DAYS[:4], equity[:4]) == (DAYS[1], DAYS[2], None)
    assert largest_fall(DAYS[:2], equity[:2]) == (None, None, None)


def test_wins_profit_factor_turnover_and_exposure():
    # Two wins of three sales: 300 against 100. The smaller side, 500 on a mean of 1,000, over 2 of 244 days.
    measured = activity([1000.0, 1000.0, 1000.0], [0.0, 500.0, 1000.0], 800.0, 500.0, [100.0, 200.0, -100.0])
    assert measured == pytest.approx((2 / 3, 3.0, 0.5 * 122, 0.5))


def test_without_a_sale_nothing_is_said_of_wins():
    assert activity([1000.0, 1000.0], [0.0, 0.0], 0.0, 0.0, [])[:2] == (None, None)


def test_a_benchmark_that_stands_still_has_no_beta():
    assert compare([100.0, 101.0, 102.0], [10.0, 10.0, 10.0])[2:] == (None, None)
