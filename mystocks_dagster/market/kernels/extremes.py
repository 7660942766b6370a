"""The highest and the lowest value of a window; of the values that there are, so a NaN is passed over."""

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.windows import TILE, load_first, reaching, store_tail, tail_size


@compiled
def _higher(first, last):
    """Return the larger value; a NaN only if both are."""
    return last if last > first or first != first else first


@compiled
def _lower(first, last):
    return last if last < first or first != first else first


@compiled
def _extreme_pairs(values, width, highest, out):
    """Put the larger (or smaller) of values[i] and values[i + width] into `out`; return the part that is filled."""
    rows = len(values) - width
    left, right, filled = values[:rows], values[width:], out[:rows]
    if highest:
        for i in range(rows):
            filled[i] = _higher(left[i], right[i])
    else:
        for i in range(rows):
            filled[i] = _lower(left[i], right[i])
    return filled


@compiled
def _window_extremes(values, n, highest, scratch, out):
    """Put the largest of each n values into `out`: of two windows of a power of two that overlap."""
    doubled, turn, width = values, 0, 1
    while 2 * width <= n:
        doubled = _extreme_pairs(doubled, width, highest, scratch[turn])
        width *= 2
        turn = 1 - turn
    if n > width:
        _extreme_pairs(doubled, n - width, highest, out)
    else:
        out[:] = doubled[: len(out)]


@compiled
def _extremes(offsets, x, n, highest, state, out):
    keep = n - 1
    buffer, scratch = np.empty(2 * keep + TILE), np.empty((2, TILE + keep))
    for s in range(len(offsets) - 1):
        values, results = x[offsets[s] : offsets[s + 1]], out[offsets[s] : offsets[s + 1]]
        load_first(values, keep, state[s], buffer)
        for first in range(0, len(values), TILE):
            last = min(first + TILE, len(values))
            reached = reaching(values, keep, buffer, first, last)
            _window_extremes(reached, n, highest, scratch, results[first:last])
        store_tail(values, keep, state[s], buffer)


@compiled
def _extremes_so_far(offsets, x, sign, state, out):
    for s in range(len(offsets) - 1):
        known, extreme = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            if x[i] == x[i] and (not known or sign * x[i] > sign * extreme):
                known, extreme = True, x[i]
            out[i] = extreme if known else np.nan
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, extreme


@compiled
def _hhv(offsets, x, n, state, out):
    if n < 1:
        _extremes_so_far(offsets, x, 1.0, state, out)
    else:
        _extremes(offsets, x, int(n), True, state, out)


@compiled
def _llv(offsets, x, n, state, out):
    if n < 1:
        _extremes_so_far(offsets, x, -1.0, state, out)
    else:
        _extremes(offsets, x, int(n), False, state, out)


def _or_extreme(n: float) -> int:
    return max(tail_size(n), 2)


PRIMITIVES = (
    Primitive("HHV", "xn", _hhv, _or_extreme),
    Primitive("LLV", "xn", _llv, _or_extreme),
)
