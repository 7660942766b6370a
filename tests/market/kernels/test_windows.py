"""Windows against pandas, which computes them by other means, and against themselves in pieces."""

import numpy as np
import pandas as pd
import pytest
from support.kernels import LENGTHS, in_pieces, run, series

from mystocks_dagster.market.kernels import extremes, windows
from mystocks_dagster.market.kernels.windows import TILE

pytestmark = pytest.mark.slow

BY_NAME = {primitive.name: primitive for primitive in (*windows.PRIMITIVES, *extremes.PRIMITIVES)}
BY_PANDAS = {
    "MA": lambda x, n: x.rolling(n).mean(),
    "SUM": lambda x, n: x.rolling(n).sum(),
    "COUNT": lambda x, n: (x.fillna(0) != 0).astype(float).rolling(n).sum(),
    "STD": lambda x, n: x.rolling(n).std(ddof=1),
    "STDP": lambda x, n: x.rolling(n).std(ddof=0),
    "HHV": lambda x, n: x.rolling(n, min_periods=1).max(),
    "LLV": lambda x, n: x.rolling(n, min_periods=1).min(),
    "REF": lambda x, n: x.shift(n),
}


def by_symbol(x, function):
    parts = np.split(x, np.cumsum(LENGTHS)[:-1])
    return np.concatenate([function(pd.Series(part, dtype=float)).to_numpy() for part in parts])


@pytest.mark.parametrize("name", BY_PANDAS)
def test_windows_are_those_of_pandas(name):
    x = series(holes=True)
    for n in (1, 2, 5, 20, 60, 250):
        expected = by_symbol(x, lambda part, n=n: BY_PANDAS[name](part, n))
        np.testing.assert_allclose(run(BY_NAME[name], x, n), expected, rtol=1e-9, atol=1e-7, err_msg=f"{name} {n}")


def test_a_window_of_zero_holds_everything_so_far():
    x = series(holes=True)
    for name, function in {"SUM": pd.Series.cumsum, "HHV": pd.Series.cummax, "LLV": pd.Series.cummin}.items():
        expected = by_symbol(x, function)
        ours = run(BY_NAME[name], x, 0)
        known = ~np.isnan(expected)
        np.testing.assert_allclose(ours[known], expected[known], rtol=1e-12)
    assert run(BY_NAME["REF"], x, 0).tobytes() == x.tobytes()


@pytest.mark.parametrize("name", BY_PANDAS)
def test_two_halves_give_the_bits_of_the_whole(name):
    x = series(holes=True)
    for n in (0, 1, 3, 20) if name in {"SUM", "HHV", "LLV", "COUNT"} else (1, 3, 20):
        whole = run(BY_NAME[name], x, n)
        for cut in (0, 1, 2, 19, 50):
            assert in_pieces(BY_NAME[name], [x], cut, n).tobytes() == whole.tobytes(), (name, n, cut)


def test_equal_prices_deviate_by_nothing_after_any_past():
    x = np.array([1000.0] * 5 + [3.1] * 40)
    assert run(BY_NAME["STD"], x, 20, lengths=(45,))[-1] == 0.0


def test_a_sum_has_no_trace_of_what_left_its_window():
    x = np.array([1e16] * 3 + [1.0] * (TILE + 10))
    assert run(BY_NAME["SUM"], x, 7, lengths=(len(x),))[9:].tolist() == [7.0] * (len(x) - 9)
