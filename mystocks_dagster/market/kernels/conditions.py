"""Primitives of conditions: runs, counts of rows since something happened, and signals without repetition."""

from collections.abc import Callable

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive, StateSize
from mystocks_dagster.market.kernels.recursions import _bars_last, two_values
from mystocks_dagster.market.kernels.windows import load, longest, store, tail_size


@compiled
def _is_true(x):
    return x == x and x != 0.0


@compiled
def _runs(offsets, x, state, out):
    """Number of rows in a row, up to this one, on which the condition is true."""
    for s in range(len(offsets) - 1):
        run = state[s, 0]
        for i in range(offsets[s], offsets[s + 1]):
            run = run + 1.0 if _is_true(x[i]) else 0.0
            out[i] = run
        state[s, 0] = run


@compiled
def _rises(offsets, x, sign, state, out):
    """Number of rows in a row, up to this one, on which x is larger (sign 1) or smaller (-1) than on the row before."""
    for s in range(len(offsets) - 1):
        known, before, run = state[s, 0] > 0, state[s, 1], state[s, 2]
        for i in range(offsets[s], offsets[s + 1]):
            run = run + 1.0 if known and sign * x[i] > sign * before else 0.0
            known, before = True, x[i]
            out[i] = run
        state[s, 0], state[s, 1], state[s, 2] = 1.0 if known else 0.0, before, run


def _at_least(runs, n):
    """Put 1 into `runs` where a run has n rows or more, otherwise 0."""
    np.greater_equal(runs, np.where(n >= 1, np.trunc(n), np.nan), out=runs)


def _every(offsets, x, n, state, out):
    _runs(offsets, x, state, out)
    _at_least(out, n)


def _up_n_days(offsets, x, n, state, out):
    _rises(offsets, x, 1.0, state, out)
    _at_least(out, n)


def _down_n_days(offsets, x, n, state, out):
    _rises(offsets, x, -1.0, state, out)
    _at_least(out, n)


def _exist(offsets, x, n, state, out):
    _bars_last(offsets, x, state, out)
    np.less(out, np.trunc(n), out=out)


@compiled
def _bars_since(offsets, x, state, out):
    """Rows since the condition was first true; no value before it was."""
    for s in range(len(offsets) - 1):
        known, rows = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            if known:
                rows += 1.0
            known = known or _is_true(x[i])
            out[i] = rows if known else np.nan
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, rows


@compiled
def _bars_lasts(offsets, x, n, state, out):
    """Rows since the condition was true the n-th last time; the state has the rows of the last n times."""
    size = int(n)
    for s in range(len(offsets) - 1):
        row, times = state[s, 0], int(state[s, 1])
        for i in range(offsets[s], offsets[s + 1]):
            if _is_true(x[i]):
                state[s, 2 + times % size] = row
                times += 1
            out[i] = row - state[s, 2 + times % size] if times >= size else np.nan
            row += 1.0
        state[s, 0], state[s, 1] = row, times


@compiled
def _bars_since_n(offsets, x, n, state, out):
    """Rows since the condition was first true within the last n rows; 0 where it never was."""
    keep = int(n) - 1
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        load(x[start:end], keep, state[s], buffer)
        first = 0
        for i in range(end - start):
            first = max(first, i)
            while first < i + keep and not _is_true(buffer[first]):
                first += 1
            out[start + i] = i + keep - first
        store(end - start, keep, state[s], buffer)


@compiled
def _between_times(offsets, x, a, b, every, state, out):
    """1 if the condition was true on every (or any) row from a before to b before; with a = 0 from the first row."""
    keep, span = int(b), a - b + 1.0
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        rows, run = state[s, 0], state[s, keep + 1]
        load(x[start:end], keep, state[s], buffer)
        for i in range(end - start):
            rows += 1.0
            # `run` counts rows up to b before on which the condition was true, or, for any, not true.
            run = run + 1.0 if rows > keep and _is_true(buffer[i]) == every else 0.0
            known = rows - keep
            wanted = known if a < 1.0 else span
            if known < 1.0 or wanted < 1.0:
                out[start + i] = 0.0
            else:
                holds = run >= wanted if every else run < min(wanted, known)
                out[start + i] = 1.0 if holds else 0.0
        store(end - start, keep, state[s], buffer)
        state[s, keep + 1] = run


def _last(offsets, x, a, b, state, out):
    _between_times(offsets, x, a, b, True, state, out)


def _exist_r(offsets, x, a, b, state, out):
    _between_times(offsets, x, a, b, False, state, out)


@compiled
def _long_cross(offsets, x, y, n, state, out):
    """1 where x is above y after at least n rows on which it was below."""
    for s in range(len(offsets) - 1):
        run = state[s, 0]
        for i in range(offsets[s], offsets[s + 1]):
            out[i] = 1.0 if run >= n and x[i] > y[i] else 0.0
            run = run + 1.0 if x[i] < y[i] else 0.0
        state[s, 0] = run


@compiled
def _filter(offsets, x, n, state, out):
    """The condition without those within n rows after one that is kept."""
    pause = float(int(n))
    for s in range(len(offsets) - 1):
        waiting = state[s, 0]
        for i in range(offsets[s], offsets[s + 1]):
            kept = waiting < 1.0 and _is_true(x[i])
            waiting = pause if kept else max(waiting - 1.0, 0.0)
            out[i] = 1.0 if kept else 0.0
        state[s, 0] = waiting


@compiled
def _signals(offsets, x, y, n, state, out):
    """Purchases (1) and sales (2) of which none follows one of its kind; n chooses one kind, 0 both."""
    for s in range(len(offsets) - 1):
        last = state[s, 0]
        for i in range(offsets[s], offsets[s + 1]):
            now = 0.0
            if last != 1.0 and _is_true(x[i]):
                now = 1.0
            elif last != 2.0 and _is_true(y[i]):
                now = 2.0
            last = now if now > 0.0 else last
            out[i] = now if n < 1.0 else (1.0 if now == n else 0.0)
        state[s, 0] = last


@compiled
def _value_when(offsets, x, y, state, out):
    """The y of the last row on which the condition x was true."""
    for s in range(len(offsets) - 1):
        known, value = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            if _is_true(x[i]):
                known, value = True, y[i]
            out[i] = value if known else np.nan
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, value


def _one(*_: float) -> int:
    return 1


def _three(*_: float) -> int:
    return 3


def _with_any_window(name: str, run: Callable[..., None], size: StateSize) -> tuple[Primitive, Primitive]:
    """Return a primitive for a window that is a number, and for one that differs from row to row."""
    return Primitive(name, "xn", run, size), Primitive(name, "xx", run, size)


PRIMITIVES = (
    Primitive("BARSLASTCOUNT", "x", _runs, _one),
    *_with_any_window("EVERY", _every, _one),
    *_with_any_window("EXIST", _exist, two_values),
    *_with_any_window("UPNDAY", _up_n_days, _three),
    *_with_any_window("DOWNNDAY", _down_n_days, _three),
    Primitive("BARSSINCE", "x", _bars_since, two_values),
    Primitive("BARSLASTS", "xn", _bars_lasts, lambda n: int(n) + 2),
    Primitive("BARSSINCEN", "xn", _bars_since_n, tail_size),
    Primitive("LAST", "xnn", _last, lambda a, b: int(b) + 2),
    Primitive("EXISTR", "xnn", _exist_r, lambda a, b: int(b) + 2),
    Primitive("LONGCROSS", "xxn", _long_cross, _one),
    Primitive("FILTER", "xn", _filter, _one),
    Primitive("TFILTER", "xxn", _signals, _one),
    Primitive("VALUEWHEN", "xx", _value_when, two_values),
)
