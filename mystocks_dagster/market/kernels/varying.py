"""Windows whose length differs from row to row, such as HHV(H,BARSLAST(X)). No bounded state could carry them on."""

import math

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.windows import longest

#: Rows of a window from which on it is not added up for each row.
_LONG = 250.0


@compiled
def _ref(offsets, x, n, _, out):
    for s in range(len(offsets) - 1):
        start = offsets[s]
        for i in range(start, offsets[s + 1]):
            out[i] = x[i - int(n[i])] if 0.0 <= n[i] <= i - start else np.nan


@compiled
def _sums(offsets, x, n, mean, _, out):
    """Sums or means of the last n rows; a sum over 0 rows is of all so far, rows without a value passed over.

    A long window is the difference of two sums from the first row on, a short one is added up, which is more exact.
    """
    so_far, missing = np.empty(longest(offsets) + 1), np.empty(longest(offsets) + 1)
    so_far[0] = missing[0] = 0.0
    for s in range(len(offsets) - 1):
        start = offsets[s]
        for i in range(offsets[s + 1] - start):
            value = x[start + i]
            exists = value == value
            so_far[i + 1] = so_far[i] + (value if exists else 0.0)
            missing[i + 1] = missing[i] + (0.0 if exists else 1.0)
            size = n[start + i]
            result = np.nan
            if 1.0 <= size < i + 2:
                first = i + 1 - int(size)
                if missing[i + 1] == missing[first]:
                    result = so_far[i + 1] - so_far[first] if size > _LONG else np.sum(x[start + first : start + i + 1])
                    result = result / int(size) if mean else result
            elif 0.0 <= size < 1.0 and not mean and exists:
                result = so_far[i + 1]
            out[start + i] = result


def _mean(offsets, x, n, state, out):
    _sums(offsets, x, n, True, state, out)


def _sum(offsets, x, n, state, out):
    _sums(offsets, x, n, False, state, out)


def _count(offsets, x, n, state, out):
    _sums(offsets, ((x != 0) & ~np.isnan(x)).astype(np.float64), n, False, state, out)


@compiled
def _extremes(offsets, x, n, sign, bars, _, out):
    """The extreme of the last n rows, of fewer at the start, of all so far with n = 0; or the rows since it.

    `falling` holds the rows that are not exceeded by a later one, so the extreme of a window is the first in it.
    """
    falling = np.empty(longest(offsets), np.int64)
    for s in range(len(offsets) - 1):
        start, depth = offsets[s], 0
        for i in range(start, offsets[s + 1]):
            if x[i] == x[i]:
                while depth > 0 and sign * x[falling[depth - 1]] <= sign * x[i]:
                    depth -= 1
                falling[depth] = i
                depth += 1
            out[i] = np.nan
            if n[i] >= 0.0:
                first = start if n[i] < 1.0 or n[i] > i - start else i - int(n[i]) + 1
                place = np.searchsorted(falling[:depth], first)
                if place < depth:
                    out[i] = i - falling[place] if bars else x[falling[place]]


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
