"""Primitives over a window of the last `n` rows.

Averages, sums, counts and deviations have no value until the window is full, nor while it holds a NaN.

A window's value depends on its rows only, whatever was computed before: sums are added in pairs, pairs of pairs and so
on, which the processor does for several rows at a time, takes a number of steps that grows with the logarithm of `n`,
and loses no digits over the years. The state of a symbol is the number of its rows so far and its last `n - 1` values.
"""

import math

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive

#: Rows of a symbol that are computed together: few enough to stay in the processor's first cache.
TILE = 512


def tail_size(n: float) -> int:
    """Return the size of the state of a window of `n` rows: the number of rows, and the last n - 1 values."""
    return max(int(n), 1)


@compiled
def load(values, keep, state, buffer):
    """Lay the last `keep` values before the rows (NaN before the first row), and the rows, end to end."""
    missing = keep - min(int(state[0]), keep)
    buffer[:missing] = np.nan
    buffer[missing:keep] = state[1 + missing : 1 + keep]
    buffer[keep : keep + len(values)] = values


@compiled
def store(rows, keep, state, buffer):
    """Keep the last `keep` values and the number of rows for the next call."""
    state[0] += rows
    state[1 : 1 + keep] = buffer[rows : rows + keep]


@compiled
def longest(offsets):
    """Return the number of rows of the symbol with the most rows."""
    rows = 0
    for s in range(len(offsets) - 1):
        rows = max(rows, offsets[s + 1] - offsets[s])
    return rows


# The windows of most tiles are read where the rows are; only those of a symbol's first rows reach back into its state.


@compiled
def load_first(values, keep, state, buffer):
    """Lay the values before the rows, and as many rows as the first windows need, end to end."""
    load(values[: keep + TILE], keep, state, buffer)


@compiled
def reaching(values, keep, buffer, first, last):
    """Return the rows from `first` to `last` with the `keep` values before them."""
    return buffer[first : last + keep] if first < keep else values[first - keep : last]


@compiled
def store_tail(values, keep, state, buffer):
    """Keep the last `keep` values and the number of rows for the next call."""
    rows = len(values)
    state[0] += rows
    state[1 : 1 + keep] = buffer[rows : rows + keep] if rows < keep else values[rows - keep :]


# Loops run over slices with a plain index: numba makes loops with `a[i + k]` four times as slow, because it must
# allow for negative positions.


@compiled
def _pairs(values, width, out):
    """Put values[i] + values[i + width] into `out`; return the part of `out` that is filled."""
    rows = len(values) - width
    left, right, filled = values[:rows], values[width:], out[:rows]
    for i in range(rows):
        filled[i] = left[i] + right[i]
    return filled


@compiled
def _fours(values, width, out):
    """Do what two calls of `_pairs` do, the second one with twice the width, in one pass over memory."""
    rows = len(values) - 3 * width
    a, b, c, d, filled = values[:rows], values[width:], values[2 * width :], values[3 * width :], out[:rows]
    for i in range(rows):
        filled[i] = (a[i] + b[i]) + (c[i] + d[i])
    return filled


@compiled
def _other(one, another):
    """Return which of three places is neither of two."""
    for place in range(3):
        if place not in (one, another):
            return place
    return -1


@compiled
def _add(first, second, divisor, out):
    """Put (first + second) / divisor into `out`, which is none of them."""
    rows = len(out)
    left, right = first[:rows], second[:rows]
    if divisor == 1.0:
        for i in range(rows):
            out[i] = left[i] + right[i]
    else:
        for i in range(rows):
            out[i] = (left[i] + right[i]) / divisor


@compiled
def _add_to(out, part, divisor):
    rows = len(out)
    added = part[:rows]
    if divisor == 1.0:
        for i in range(rows):
            out[i] += added[i]
    else:
        for i in range(rows):
            out[i] = (out[i] + added[i]) / divisor


@compiled
def _window_sums(values, n, divisor, scratch, out):
    """Put the sum of each n values, by `divisor`, into `out`.

    Sums of 1, 2, 4, 8... values are made, and added as n needs them.
    """
    doubled, first = values, values
    here, kept, width, done = -1, -1, 1, 0
    while True:
        if n & width:
            last = divisor if done + width == n else 1.0
            if done == 0 and width < n:
                first, kept = doubled, here
            elif done == 0:
                for i in range(len(out)):
                    out[i] = doubled[i] / divisor
            elif done & (done - 1) == 0:
                _add(first, doubled[done:], last, out)
                kept = -1
            else:
                _add_to(out, doubled[done:], last)
            done += width
        if done == n:
            return
        here = _other(here, kept)
        if n & 2 * width:
            doubled = _pairs(doubled, width, scratch[here])
            width *= 2
        else:
            doubled = _fours(doubled, width, scratch[here])
            width *= 4


@compiled
def _sums(offsets, x, n, divisor, state, out):
    keep = n - 1
    buffer, scratch = np.empty(2 * keep + TILE), np.empty((3, TILE + keep))
    for s in range(len(offsets) - 1):
        values, results = x[offsets[s] : offsets[s + 1]], out[offsets[s] : offsets[s + 1]]
        load_first(values, keep, state[s], buffer)
        for first in range(0, len(values), TILE):
            last = min(first + TILE, len(values))
            _window_sums(reaching(values, keep, buffer, first, last), n, divisor, scratch, results[first:last])
        store_tail(values, keep, state[s], buffer)


@compiled
def _running_sums(offsets, x, state, out):
    for s in range(len(offsets) - 1):
        total = state[s, 0]
        for i in range(offsets[s], offsets[s + 1]):
            if x[i] == x[i]:
                total += x[i]
                out[i] = total
            else:
                out[i] = np.nan
        state[s, 0] = total


@compiled
def _mean(offsets, x, n, state, out):
    _sums(offsets, x, int(n), float(int(n)), state, out)


@compiled
def _sum(offsets, x, n, state, out):
    if n < 1:
        _running_sums(offsets, x, state, out)
    else:
        _sums(offsets, x, int(n), 1.0, state, out)


@compiled
def _count(offsets, x, n, state, out):
    conditions = np.empty(len(x))
    for i in range(len(x)):
        conditions[i] = 1.0 if x[i] == x[i] and x[i] != 0.0 else 0.0
    _sum(offsets, conditions, n, state, out)


@compiled
def _deviations(values, n, freedom, scratch, out):
    """Put the standard deviation of each n values into `out`.

    The values are taken relative to the newest of each window: no digits are lost, and equal values deviate by 0.
    """
    rows = len(out)
    newest, sums, squares = values[n - 1 :], scratch[0, :rows], scratch[1, :rows]
    squares[:] = 0.0
    for i in range(rows):
        sums[i] = newest[i] - newest[i]  # 0, or NaN if there is no value
    fours = (n - 1) // 4 * 4
    for k in range(0, fours, 4):
        a, b, c, d = values[k : k + rows], values[k + 1 :], values[k + 2 :], values[k + 3 :]
        for i in range(rows):
            at_a, at_b, at_c, at_d = a[i] - newest[i], b[i] - newest[i], c[i] - newest[i], d[i] - newest[i]
            sums[i] += (at_a + at_b) + (at_c + at_d)
            squares[i] += (at_a * at_a + at_b * at_b) + (at_c * at_c + at_d * at_d)
    for k in range(fours, n - 1):
        earlier = values[k : k + rows]
        for i in range(rows):
            difference = earlier[i] - newest[i]
            sums[i] += difference
            squares[i] += difference * difference
    for i in range(rows):
        variance = (squares[i] - sums[i] * sums[i] / n) / (n - freedom)
        # A comparison with NaN is false: NaN stays.
        out[i] = math.sqrt(0.0 if variance < 0.0 else variance)


@compiled
def _deviation(offsets, x, n, freedom, state, out):
    keep = n - 1
    buffer, scratch = np.empty(2 * keep + TILE), np.empty((2, TILE))
    for s in range(len(offsets) - 1):
        values, results = x[offsets[s] : offsets[s + 1]], out[offsets[s] : offsets[s + 1]]
        load_first(values, keep, state[s], buffer)
        for first in range(0, len(values), TILE):
            last = min(first + TILE, len(values))
            if n > freedom:
                reached = reaching(values, keep, buffer, first, last)
                _deviations(reached, n, freedom, scratch, results[first:last])
            else:
                results[first:last] = np.nan
        store_tail(values, keep, state[s], buffer)


@compiled
def _std(offsets, x, n, state, out):
    _deviation(offsets, x, int(n), 1.0, state, out)


@compiled
def _stdp(offsets, x, n, state, out):
    _deviation(offsets, x, int(n), 0.0, state, out)


@compiled
def _ref(offsets, x, n, state, out):
    keep = int(n)
    buffer = np.empty(2 * keep + TILE)
    for s in range(len(offsets) - 1):
        values, results = x[offsets[s] : offsets[s + 1]], out[offsets[s] : offsets[s + 1]]
        load_first(values, keep, state[s], buffer)
        some = min(keep, len(values))
        results[:some] = buffer[:some]
        results[some:] = values[: len(values) - some]
        store_tail(values, keep, state[s], buffer)


PRIMITIVES = (
    Primitive("MA", "xn", _mean, tail_size),
    Primitive("SUM", "xn", _sum, tail_size),
    Primitive("COUNT", "xn", _count, tail_size),
    Primitive("STD", "xn", _std, tail_size),
    Primitive("STDP", "xn", _stdp, tail_size),
    Primitive("REF", "xn", _ref, lambda n: int(n) + 1),
)
