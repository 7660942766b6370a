"""Recursions against MyTT and by hand, and against themselves in pieces."""

import MyTT
import numpy as np
import pytest
from support.kernels import LENGTHS, in_pieces, run, series

from mystocks_dagster.market.kernels.recursions import PRIMITIVES

pytestmark = pytest.mark.slow

BY_NAME = {primitive.name: primitive for primitive in PRIMITIVES}


def by_symbol(x, function):
    return np.concatenate([function(part) for part in np.split(x, np.cumsum(LENGTHS)[:-1]) if len(part)])


def test_smoothed_averages_are_mytts():
    x = series()
    for n in (2, 12, 26):
        np.testing.assert_allclose(run(BY_NAME["EMA"], x, n), by_symbol(x, lambda part, n=n: MyTT.EMA(part, n)))
        np.testing.assert_allclose(run(BY_NAME["SMA"], x, n, 1), by_symbol(x, lambda part, n=n: MyTT.SMA(part, n, 1)))


def test_an_average_passes_over_rows_without_a_value():
    x = np.array([np.nan, 4.0, np.nan, 1.0])
    np.testing.assert_array_equal(run(BY_NAME["SMA"], x, 3, 1, lengths=(4,)), [np.nan, 4.0, np.nan, 3.0])


def test_a_constant_stays_exactly_what_it_is():
    x = np.full(300, 3.1)
    assert run(BY_NAME["EMA"], x, 12, lengths=(300,)).tolist() == x.tolist()


def test_bars_since_an_event():
    x = np.array([np.nan, 0.0, 1.0, 0.0, 0.0, 2.0])
    np.testing.assert_array_equal(run(BY_NAME["BARSLAST"], x, lengths=(6,)), [np.nan, np.nan, 0, 1, 2, 0])
    np.testing.assert_array_equal(run(BY_NAME["BARSCOUNT"], x, lengths=(6,)), [np.nan, 1, 2, 3, 4, 5])


def test_a_crossing_needs_a_bar_before_that_was_not_above():
    x, y = np.array([2.0, 1.0, 2.0, 3.0, np.nan, 3.0]), np.full(6, 1.5)
    out = np.empty(6)
    BY_NAME["CROSS"].run(np.array([0, 6]), x, y, np.zeros((1, 2)), out)
    assert out.tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "numbers"), [("EMA", (12,)), ("SMA", (6, 1)), ("BARSLAST", ()), ("BARSCOUNT", ()), ("CROSS", ())]
)
def test_two_halves_give_the_bits_of_the_whole(name, numbers):
    x = series(holes=True)
    values = [x, series(holes=True)[::-1].copy()] if name == "CROSS" else [x if numbers else (x > 20).astype(float)]
    primitive = BY_NAME[name]
    whole = in_pieces(primitive, values, 10**6, *numbers)
    for cut in (0, 1, 19, 50):
        assert in_pieces(primitive, values, cut, *numbers).tobytes() == whole.tobytes(), cut
