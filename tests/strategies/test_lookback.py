"""Arithmetic of a lookback."""

import pytest

from mystocks_dagster.strategies.lookback import bars_of, window_fault


@pytest.mark.parametrize(
    ("lookback", "bars"), [(5, 5), ("days", 20), ("max(days, slow) + 1", 61), ("2 * (slow - days)", 80), ("1.5", 2)]
)
def test_numbers_and_parameters_are_computed(lookback, bars):
    assert bars_of(lookback, {"days": 20, "slow": 60}) == bars


@pytest.mark.parametrize("lookback", ["__import__('os')", "days ** 99", "days.real", "(", "-1 * days", "weeks", ""])
def test_nothing_else_is(lookback):
    with pytest.raises(ValueError, match="lookback"):
        bars_of(lookback, {"days": 20})


@pytest.mark.parametrize(
    ("lookback", "params", "least", "small"),
    [
        ("n", {"n": 0}, 1, "n"),
        ("n", {"n": 0}, 0, None),
        ("n - 1", {"n": 1}, 1, None),
        ("2 * n + lag", {"n": 5, "lag": 0}, 1, None),
        ("max(n, m)", {"n": -1, "m": -2}, 0, "n"),
        (None, {"n": 0}, 1, None),
        (3, {"n": 0}, 1, None),
    ],
)
def test_the_parameter_that_makes_a_window_too_short_is_named(lookback, params, least, small):
    assert (window_fault(lookback, params, least) or (None,))[0] == small
