"""Performance figures, by hand."""

import math

import pytest

from mystocks_dagster.market.metrics import performance


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
    assert performance([100.0] * 30) == (0.0, 0.0, 0.0, None)


def test_one_day_is_enough_for_a_return_of_nothing():
    assert performance([100.0]) == (0.0, None, 0.0, None)
