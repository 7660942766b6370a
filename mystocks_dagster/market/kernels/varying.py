"""Windows whose length differs from row to row, such as HHV(H,BARSLAST(X)). No bounded state could carry them on."""

import math

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive


@compiled
def _ref(offsets, x, n, _, out):
    for s in range(len(offsets) - 1):
        start = offsets[s]
        for i in range(start, offsets[s + 1]):
            out[i] = x[i - int(n[i])] if 0.0 <= n[i] <= i - start else np.nan


@compiled
def _window_sum(x, first, last):
    total = 0.0
    for k in range(first, last + 1):
        total += x[k]
    return total


@compiled
def _sums(offsets, x, n, mean, _, out):
    """Sums or means of the last n rows; a sum over 0 rows is of all so far, rows without a value passed over."""
    for s in range(len(offsets) - 1):
        start = offsets[s]
        so_far = 0.0
        for i in range(start, offsets[s + 1]):
            so_far += x[i] if x[i] == x[i] else 0.0
            out[i] = np.nan
            if 1.0 <= n[i] < i - start + 2:
                size = int(n[i])
                out[i] = _window_sum(x, i - size + 1, i) / (size if mean else 1)
            elif 0.0 <= n[i] < 1.0 and not mean and x[i] == x[i]:
                out[i] = so_far


def _mean(offsets, x, n, state, out):
    _sums(offsets, x, n, True, state, out)


def _sum(offsets, x, n, state, out):
    _sums(offsets, x, n, False, state, out)


def _count(offsets, x, n, state, out):
    _sums(offsets, ((x != 0) & ~np.isnan(x)).astype(np.float64), n, False, state, out)


@compiled
def _extremes(offsets, x, n, sign, bars, _, out):
    """The extreme of the last n rows, of fewer at the start, of all so far with n = 0; or the rows since it."""
    for s in range(len(offsets) - 1):
        start = offsets[s]
        for i in range(start, offsets[s + 1]):
            best = -1
            if n[i] >= 0.0:
                first = start if n[i] < 1.0 or n[i] > i - start else i - int(n[i]) + 1
                for k in range(first, i + 1):
                    if x[k] == x[k] and (best < 0 or sign * x[k] >= sign * x[best]):
                        best = k
            if best < 0:
                out[i] = np.nan
            else:
                out[i] = i - best if bars else x[best]


def _hhv(offsets, x, n, state, out):
    _extremes(offsets, x, n, 1.0, False, state, out)


def _llv(offsets, x, n, state, out):
    _extremes(offsets, x, n, -1.0, False, state, out)


def _hhv_bars(offsets, x, n, state, out):
    _extremes(offsets, x, n, 1.0, True, state, out)


def _llv_bars(offsets, x, n, state, out):
    _extremes(offsets, x, n, -1.0, True, state, out)


@compiled
def _deviations(offsets, x, n, freedom, _, out):
    for s in range(len(offsets) - 1):
        start = offsets[s]
        for i in range(start, offsets[s + 1]):
            out[i] = np.nan
            if freedom < n[i] < i - start + 2 and int(n[i]) > freedom:
                size = int(n[i])
                total = square = 0.0
                for k in range(i - size + 1, i + 1):
                    difference = x[k] - x[i]
                    total += difference
                    square += difference * difference
                variance = (square - total * total / size) / (size - freedom)
                out[i] = math.sqrt(0.0 if variance < 0.0 else variance)


def _std(offsets, x, n, state, out):
    _deviations(offsets, x, n, 1.0, state, out)


def _stdp(offsets, x, n, state, out):
    _deviations(offsets, x, n, 0.0, state, out)


def _none(*_: float) -> None:
    return None


PRIMITIVES = (
    Primitive("REF", "xx", _ref, _none),
    Primitive("MA", "xx", _mean, _none),
    Primitive("SUM", "xx", _sum, _none),
    Primitive("COUNT", "xx", _count, _none),
    Primitive("HHV", "xx", _hhv, _none),
    Primitive("LLV", "xx", _llv, _none),
    Primitive("HHVBARS", "xx", _hhv_bars, _none),
    Primitive("LLVBARS", "xx", _llv_bars, _none),
    Primitive("STD", "xx", _std, _none),
    Primitive("STDP", "xx", _stdp, _none),
)
