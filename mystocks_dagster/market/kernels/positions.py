"""Primitives that say where a value stands among earlier ones."""

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.windows import load, longest, store, tail_size


@compiled
def _newest_extreme(buffer, first, last, sign):
    """Return the position of the largest value times `sign` in `first..last`, the newest of equal ones; -1 if none."""
    best = -1
    for k in range(first, last + 1):
        if buffer[k] == buffer[k] and (best < 0 or sign * buffer[k] >= sign * buffer[best]):
            best = k
    return best


@compiled
def _bars_to_extreme(offsets, x, n, sign, state, out):
    """Rows since the extreme of the last n rows."""
    keep = int(n) - 1
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        load(x[start:end], keep, state[s], buffer)
        best = -1
        for i in range(end - start):
            last = i + keep
            if best < i:
                best = _newest_extreme(buffer, i, last, sign)
            elif sign * buffer[last] >= sign * buffer[best]:
                best = last
            out[start + i] = last - best if best >= 0 else np.nan
        store(end - start, keep, state[s], buffer)


@compiled
def _bars_to_extreme_so_far(offsets, x, sign, state, out):
    for s in range(len(offsets) - 1):
        known, extreme, rows = state[s, 0] > 0, state[s, 1], state[s, 2]
        for i in range(offsets[s], offsets[s + 1]):
            rows += 1.0
            if x[i] == x[i] and (not known or sign * x[i] >= sign * extreme):
                known, extreme, rows = True, x[i], 0.0
            out[i] = rows if known else np.nan
        state[s, 0], state[s, 1], state[s, 2] = 1.0 if known else 0.0, extreme, rows


def _hhv_bars(offsets, x, n, state, out):
    if n < 1:
        _bars_to_extreme_so_far(offsets, x, 1.0, state, out)
    else:
        _bars_to_extreme(offsets, x, n, 1.0, state, out)


def _llv_bars(offsets, x, n, state, out):
    if n < 1:
        _bars_to_extreme_so_far(offsets, x, -1.0, state, out)
    else:
        _bars_to_extreme(offsets, x, n, -1.0, state, out)


@compiled
def _ranges(offsets, x, sign, _, out):
    """How many rows before this one, in a row, are smaller (sign 1) or larger (-1).

    `higher` holds the rows that a later row may have to stop at: their values fall.
    """
    higher = np.empty(longest(offsets) + 1, np.int64)
    for s in range(len(offsets) - 1):
        start = offsets[s]
        depth = 0
        for i in range(start, offsets[s + 1]):
            if x[i] != x[i]:
                out[i] = np.nan
                depth = 0
                start = i + 1
                continue
            while depth > 0 and sign * x[higher[depth - 1]] < sign * x[i]:
                depth -= 1
            out[i] = i - higher[depth - 1] - 1 if depth > 0 else i - start
            higher[depth] = i
            depth += 1


def _top_range(offsets, x, state, out):
    _ranges(offsets, x, 1.0, state, out)


def _low_range(offsets, x, state, out):
    _ranges(offsets, x, -1.0, state, out)


@compiled
def _ranked(window, rank, sign, taken):
    """Return the position of the value of a rank in a window, the newest of equal ones; -1 if there are too few."""
    taken[:] = False
    best = -1
    for _ in range(rank):
        best = -1
        for k in range(len(window)):
            better = best < 0 or sign * window[k] >= sign * window[best]
            if not taken[k] and window[k] == window[k] and better:
                best = k
        if best < 0:
            return -1
        taken[best] = True
    return best


@compiled
def _found(offsets, x, n, m, t, sign, bars, state, out):
    """The t-th extreme of the m rows that end n rows before, or the rows since then."""
    lag, size = int(n), int(m)
    keep = lag + size - 1
    buffer, taken = np.empty(longest(offsets) + keep), np.empty(size, np.bool_)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        rows = state[s, 0]
        load(x[start:end], keep, state[s], buffer)
        for i in range(end - start):
            rows += 1.0
            window = buffer[i : i + size]
            place = _ranked(window, int(t), sign, taken) if rows > keep and t <= m else -1
            if place < 0:
                out[start + i] = np.nan
            else:
                out[start + i] = keep - place if bars else window[place]
        store(end - start, keep, state[s], buffer)


def _find_high(offsets, x, n, m, t, state, out):
    _found(offsets, x, n, m, t, 1.0, False, state, out)


def _find_low(offsets, x, n, m, t, state, out):
    _found(offsets, x, n, m, t, -1.0, False, state, out)


def _find_high_bars(offsets, x, n, m, t, state, out):
    _found(offsets, x, n, m, t, 1.0, True, state, out)


def _find_low_bars(offsets, x, n, m, t, state, out):
    _found(offsets, x, n, m, t, -1.0, True, state, out)


@compiled
def _rows_to_reach(values, wanted):
    """Over how many of the last values must be added to reach a sum; NaN where it is not reached."""
    total = 0.0
    for rows in range(1, len(values) + 1):
        total += values[-rows]
        if total >= wanted:
            return float(rows)
        if total != total:
            break
    return np.nan


@compiled
def _sum_bars(offsets, x, y, _, out):
    """Over how many of the last rows x must be added to reach y; no value where it is not reached.

    Sums of values from 0 on grow with each row, so the row is searched for; others are added up one by one.
    """
    so_far = np.empty(longest(offsets) + 1)
    for s in range(len(offsets) - 1):
        start, grows = offsets[s], True
        so_far[0] = 0.0
        for i in range(offsets[s + 1] - start):
            grows = grows and x[start + i] >= 0.0
            so_far[i + 1] = so_far[i] + x[start + i]
            wanted = y[start + i]
            out[start + i] = np.nan
            if grows and wanted > 0.0:
                before = np.searchsorted(so_far[: i + 1], so_far[i + 1] - wanted, side="right") - 1
                if before >= 0:
                    out[start + i] = i + 1 - before
            elif wanted == wanted:
                out[start + i] = _rows_to_reach(x[start : start + i + 1], wanted)


def _none(*_: float) -> None:
    return None


def _lagged_tail(n: float, m: float, _: float) -> int:
    return int(n) + int(m)


PRIMITIVES = (
    Primitive("HHVBARS", "xn", _hhv_bars, lambda n: max(tail_size(n), 3)),
    Primitive("LLVBARS", "xn", _llv_bars, lambda n: max(tail_size(n), 3)),
    Primitive("TOPRANGE", "x", _top_range, _none),
    Primitive("LOWRANGE", "x", _low_range, _none),
    Primitive("FINDHIGH", "xnnn", _find_high, _lagged_tail),
    Primitive("FINDLOW", "xnnn", _find_low, _lagged_tail),
    Primitive("FINDHIGHBARS", "xnnn", _find_high_bars, _lagged_tail),
    Primitive("FINDLOWBARS", "xnnn", _find_low_bars, _lagged_tail),
    Primitive("SUMBARS", "xx", _sum_bars, _none),
)
