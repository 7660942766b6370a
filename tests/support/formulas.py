"""The functions of formulas by their definitions, in plain loops, and helpers that run formulas on arrays."""

from math import isnan, nan

import numpy as np

from mystocks_dagster.market.formulas.evaluation import Bars, evaluate
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.plan import plan


def planned(texts):
    """The plan of formulas of one output each; the outputs are named by the texts."""
    return plan(*((parse_formula(f"OUT:{text};", text), (), (("OUT", text),)) for text in texts))


def computed(texts, columns, offsets=None):
    """The outputs of formulas on columns of arrays, by text."""
    rows = len(next(iter(columns.values())))
    offsets = np.array([0, rows] if offsets is None else offsets)
    return evaluate(planned(texts), Bars(offsets, columns))


def true(x):
    return not isnan(x) and x != 0


def by_row(function):
    """Make a function of one symbol's list up to a row, and further lists, a function of arrays."""

    def run(x, *others):
        x = [float(value) for value in x]
        return np.array([function(x[: i + 1], *others) for i in range(len(x))], float)

    return run


def over(function):
    """Make a function of the last n values a function of arrays: no value before there are n, nor with a NaN."""

    def run(x, n):
        def at(past):
            window = past[-n:]
            return nan if len(past) < n or any(map(isnan, window)) else function(np.array(window))

        return by_row(at)(x)

    return run


def some(x, n):
    """The values among the last n, or all with n = 0."""
    return [value for value in (x[-n:] if n else x) if not isnan(value)]


def highest(x, n):
    return by_row(lambda past: max(some(past, n), default=nan))(x)


def lowest(x, n):
    return by_row(lambda past: min(some(past, n), default=nan))(x)


def bars_to(x, n, best):
    def at(past):
        window = past[-n:] if n else past
        known = [value for value in window if not isnan(value)]
        return window[::-1].index(best(known)) if known else nan

    return by_row(at)(x)


def so_far(function):
    return by_row(lambda past: nan if isnan(past[-1]) else function(np.array(some(past, 0))))


def varying(function, x, n):
    """A function of a window whose length differs from row to row."""
    return np.array([nan if isnan(size) else function(x[: i + 1], int(size))[i] for i, size in enumerate(n)], float)


def recursion(x, step, first=lambda value: value):
    y, out = nan, []
    for i, value in enumerate(x):
        following = first(value) if isnan(y) else step(i, y, value)
        y = y if isnan(following) else following
        out.append(following)
    return np.array(out, float)


def seeded(x, n):
    """EXPMEMA: the mean of the first n values, then the recursion of EMA."""
    known = [i for i, value in enumerate(x) if not isnan(value)]
    out = np.full(len(x), nan)
    for count, i in enumerate(known, start=1):
        if count == n:
            out[i] = np.mean([x[k] for k in known[:n]])
        elif count > n:
            out[i] = (2 * x[i] + (n - 1) * out[known[count - 2]]) / (n + 1)
    return out


def run_length(x):
    return by_row(lambda past: next((k for k, value in enumerate(reversed(past)) if not true(value)), len(past)))(x)


def last_true(x):
    return by_row(lambda past: next((k for k, value in enumerate(reversed(past)) if true(value)), nan))(x)


def nth_true(x, n):
    def at(past):
        places = [k for k, value in enumerate(reversed(past)) if true(value)]
        return places[n - 1] if len(places) >= n else nan

    return by_row(at)(x)


def first_true(x):
    return by_row(lambda past: next((len(past) - 1 - k for k, value in enumerate(past) if true(value)), nan))(x)


def first_true_within(x, n):
    return by_row(lambda past: max((k for k, v in enumerate(reversed(past[-n:])) if true(v)), default=0))(x)


def all_between(x, a, b):
    def at(past):
        window = (past[: len(past) - b])[-(a - b + 1) if a else None :]
        return float(len(window) >= (a - b + 1 if a else 1) and all(map(true, window)))

    return by_row(at)(x)


def any_between(x, a, b):
    return by_row(lambda past: float(any(map(true, past[: len(past) - b][-(a - b + 1) if a else None :]))))(x)


def crossing(x, y, n):
    out = np.zeros(len(x))
    for i in range(n, len(x)):
        out[i] = x[i] > y[i] and all(x[k] < y[k] for k in range(i - n, i))
    return out


def filtered(x, n):
    out, until = np.zeros(len(x)), -1
    for i, value in enumerate(x):
        if true(value) and i > until:
            out[i], until = 1, i + n
    return out


def alternating(x, y):
    out, last = np.zeros(len(x)), 0
    for i in range(len(x)):
        if true(x[i]) and last != 1:
            out[i] = last = 1
        elif true(y[i]) and last != 2:
            out[i] = last = 2
    return out


def marked(x, n):
    out = np.zeros(len(x))
    for i, value in enumerate(x):
        if true(value):
            out[max(0, i - int(n[i]) + 1) : i + 1] = 1
    return out


def value_when(s, x):
    out, value = [], nan
    for condition, candidate in zip(s, x, strict=True):
        value = candidate if true(condition) else value
        out.append(value)
    return np.array(out)


def rank(x, n, sign):
    return by_row(lambda past: nan if isnan(past[-1]) else 1 + sum(sign * v > sign * past[-1] for v in past[-n:]))(x)


def top_range(x, sign):
    def at(past):
        if isnan(past[-1]):
            return nan
        smaller = (sign * value < sign * past[-1] for value in reversed(past[:-1]))
        return next((k for k, holds in enumerate(smaller) if not holds), len(past) - 1)

    return by_row(at)(x)


def found(x, n, m, t, sign, bars):
    def at(past):
        window = past[len(past) - n - m : len(past) - n] if len(past) >= n + m else []
        order = sorted((-sign * value, len(window) - k) for k, value in enumerate(window) if not isnan(value))
        if len(order) < t:
            return nan
        value, back = order[t - 1]
        return n + back - 1 if bars else -sign * value

    return by_row(at)(x)


def sum_bars(x, y):
    def at(past):
        total = 0
        for k, value in enumerate(reversed(past), start=1):
            total += value
            if isnan(total) or total >= y[len(past) - 1]:
                return nan if isnan(total) else k
        return nan

    return by_row(at)(x)


def relation(x, y, n, function):
    out = np.full(len(x), nan)
    for i in range(n - 1, len(x)):
        a, b = np.array(x[i - n + 1 : i + 1]), np.array(y[i - n + 1 : i + 1])
        if not np.isnan(a + b).any():
            out[i] = function(a, b)
    return out


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1] if len(set(a)) > 1 and len(set(b)) > 1 else nan


def true_range(high, low, close):
    out, before = [], nan
    for top, bottom, last in zip(high, low, close, strict=True):
        gaps = [] if isnan(before) else [abs(top - before), abs(bottom - before)]
        out.append(max(top - bottom, *gaps) if gaps else top - bottom)
        before = before if isnan(last) else last
    return np.array(out)


def around(x, n):
    out = []
    for i in range(len(x)):
        window = [value for value in x[max(0, i - n // 2) : i + (n - 1) // 2 + 1] if not isnan(value)]
        out.append(np.mean(window) if window else nan)
    return np.array(out)


def parabolic(high, low, n, step, largest):
    """SAR and its turns; a line begins at the opposite extreme of the n bars before, and moves towards the other."""
    sar, turns = np.full(len(high), nan), np.full(len(high), nan)
    rising, begins, factor = len(high) >= n and (n < 2 or high[n - 1] > high[n - 2]), True, 0.0
    for i in range(n, len(high)):
        top, bottom = max(high[i - n : i]), min(low[i - n : i])
        ahead, behind = (top, bottom) if rising else (bottom, top)
        if begins:
            factor, sar[i] = step / 100, behind
        else:
            further = high[i] > ahead if rising else low[i] < ahead
            factor = min(factor + step / 100, largest / 100) if further else factor
            sar[i] = sar[i - 1] + factor * (ahead - sar[i - 1])
        begins = low[i] < sar[i] if rising else high[i] > sar[i]
        turns[i] = 0 if not begins else -1 if rising else 1
        rising = rising != begins
    return sar, turns


def line(window):
    return np.polyfit(np.arange(len(window)), window, 1)
