"""Primitives whose value depends on their own last value. Rows without a value are passed over."""

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive


def two_values(*_: float) -> int:
    """Return the size of the state: whether there is a last value, and the value."""
    return 2


@compiled
def _first_value(values, y, out):
    """Return the position from which y is known and y, which is the first value where it is not known before."""
    i = 0
    while i < len(values) and y != y:
        y = values[i]
        out[i] = y
        i += 1
    return i, y


@compiled
def _follow(values, weight, y, out):
    """Smooth the values of one symbol, and return the last y."""
    for i in range(len(values)):
        following = y + weight * (values[i] - y)
        out[i] = following
        if following == following:
            y = following
    return y


@compiled
def _all_known(values):
    unknown = 0
    for i in range(len(values)):
        unknown += values[i] != values[i]
    return unknown == 0


@compiled
def _follow_eight(x, begins, rows, weight, last, out):
    """Smooth as many rows of eight symbols, without NaN: the processor need not wait for the result of one.

    Positions without a sign spare numba the question whether they count from the end.
    """
    a, b, c, d = np.uint64(begins[0]), np.uint64(begins[1]), np.uint64(begins[2]), np.uint64(begins[3])
    e, f, g, h = np.uint64(begins[4]), np.uint64(begins[5]), np.uint64(begins[6]), np.uint64(begins[7])
    y_a, y_b, y_c, y_d, y_e, y_f, y_g, y_h = last[0], last[1], last[2], last[3], last[4], last[5], last[6], last[7]
    for i in range(np.uint64(rows)):
        y_a += weight * (x[a + i] - y_a)
        y_b += weight * (x[b + i] - y_b)
        y_c += weight * (x[c + i] - y_c)
        y_d += weight * (x[d + i] - y_d)
        y_e += weight * (x[e + i] - y_e)
        y_f += weight * (x[f + i] - y_f)
        y_g += weight * (x[g + i] - y_g)
        y_h += weight * (x[h + i] - y_h)
        out[a + i], out[b + i], out[c + i], out[d + i] = y_a, y_b, y_c, y_d
        out[e + i], out[f + i], out[g + i], out[h + i] = y_e, y_f, y_g, y_h
    last[0], last[1], last[2], last[3], last[4], last[5], last[6], last[7] = y_a, y_b, y_c, y_d, y_e, y_f, y_g, y_h


@compiled
def _next_symbol(offsets, x, weight, begins, last, out, first):
    """Return the first symbol from `first` on that has rows left and no NaN among them; smooth those with a NaN."""
    s = first
    while s < len(begins):
        rest = slice(begins[s], offsets[s + 1])
        if _all_known(x[rest]):
            if rest.stop > rest.start:
                return s
        else:
            last[s] = _follow(x[rest], weight, last[s], out[rest])
        s += 1
    return s


@compiled
def _first_values(offsets, x, state, begins, last, out):
    """Put the row after the first value of each symbol into `begins`, and its y into `last`."""
    for s in range(len(begins)):
        start, end = offsets[s], offsets[s + 1]
        before = state[s, 1] if state[s, 0] > 0 else np.nan
        skipped, last[s] = _first_value(x[start:end], before, out[start:end])
        begins[s] = start + skipped


@compiled
def _refill(offsets, x, weight, begins, last, lanes, following, out):
    """Put symbols in place of those that have ended, or -1 if none is left; return the one that follows."""
    for lane in range(len(lanes)):
        s = lanes[lane]
        if s < 0 or begins[s] == offsets[s + 1]:
            s = _next_symbol(offsets, x, weight, begins, last, out, following)
            lanes[lane] = s if s < len(begins) else -1
            following = min(s + 1, len(begins))
    return following


@compiled
def _shared_rows(offsets, begins, lanes):
    """Return the number of rows that all symbols of the lanes still have, and one of these symbols, or -1."""
    rows, some = -1, -1
    for s in lanes:
        if s >= 0:
            left = offsets[s + 1] - begins[s]
            rows, some = left if some < 0 else min(rows, left), s
    return rows, some


@compiled
def _smoothed(offsets, x, weight, state, out):
    """Y = y' + weight (x - y'), starting with the first x: a constant x stays exactly what it is.

    Eight symbols are smoothed together. Where one ends, the next one takes its place.
    """
    symbols = len(offsets) - 1
    begins, last = np.empty(symbols, np.int64), np.empty(symbols)
    _first_values(offsets, x, state, begins, last, out)
    lanes, places, values = np.full(8, -1), np.empty(8, np.int64), np.empty(8)
    following = _refill(offsets, x, weight, begins, last, lanes, 0, out)
    rows, some = _shared_rows(offsets, begins, lanes)
    while some >= 0:
        for lane in range(8):
            # When fewer than eight are left, one of them is computed several times, each time to the same result.
            s = lanes[lane] if lanes[lane] >= 0 else some
            places[lane], values[lane] = begins[s], last[s]
        _follow_eight(x, places, rows, weight, values, out)
        for lane in range(8):
            s = lanes[lane]
            if s >= 0:
                begins[s], last[s] = begins[s] + rows, values[lane]
        following = _refill(offsets, x, weight, begins, last, lanes, following, out)
        rows, some = _shared_rows(offsets, begins, lanes)
    for s in range(symbols):
        if last[s] == last[s]:
            state[s, 0], state[s, 1] = 1.0, last[s]


@compiled
def _ema(offsets, x, n, state, out):
    _smoothed(offsets, x, 2.0 / (n + 1.0), state, out)


@compiled
def _sma(offsets, x, n, m, state, out):
    _smoothed(offsets, x, m / n, state, out)


@compiled
def _bars_last(offsets, x, state, out):
    """Rows since the condition was last true; no value before it was."""
    for s in range(len(offsets) - 1):
        known, rows = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            rows += 1.0
            if x[i] == x[i] and x[i] != 0.0:
                known, rows = True, 0.0
            out[i] = rows if known else np.nan
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, rows


@compiled
def _cross(offsets, x, y, state, out):
    """1 where x is above y and was not on the row before; 0 on the first row."""
    for s in range(len(offsets) - 1):
        known, below = state[s, 0] > 0, state[s, 1] > 0
        for i in range(offsets[s], offsets[s + 1]):
            out[i] = 1.0 if known and below and x[i] > y[i] else 0.0
            known, below = True, x[i] <= y[i]
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, 1.0 if below else 0.0


@compiled
def _bars_count(offsets, x, state, out):
    """Rows from the first value of x to this one, both counted."""
    for s in range(len(offsets) - 1):
        rows, i, end = state[s, 0], offsets[s], offsets[s + 1]
        while i < end and rows == 0 and x[i] != x[i]:
            out[i] = np.nan
            i += 1
        rest = out[i:end]
        for k in range(len(rest)):
            rest[k] = rows + (k + 1.0)
        state[s, 0] = rows + len(rest)


PRIMITIVES = (
    Primitive("EMA", "xn", _ema, two_values),
    Primitive("SMA", "xnn", _sma, two_values),
    Primitive("BARSLAST", "x", _bars_last, two_values),
    Primitive("BARSCOUNT", "x", _bars_count, lambda: 1),
    Primitive("CROSS", "xx", _cross, two_values),
)
