"""Arithmetic of a lookback."""

import pytest

from mystocks_dagster.strategies.lookback import bars_of


@pytest.mark.parametrize(
    ("lookback", "bars"), [(5, 5), ("days", 20), ("max(days, slow) + 1", 61), ("2 * (slow - days)", 80), ("1.5", 2)]
)
def test_numbers_and_parameters_are_computed(lookback, bars):
    assert bars_of(lookback, {"days": 20, "slow": 60}) == bars


@pytest.mark.parametrize("lookback", ["__import__('os')", "days ** 99", "days.real", "(", "-1 * days", "weeks", ""])
def test_nothing_else_is(lookback):
    with pytest.raises(ValueError, match="lookback"):
        bars_of(lookback, {"days": 20})
