"""Further averages, and the true range. Rows without a value are passed over."""

from collections.abc import Callable

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.recursions import two_values
from mystocks_dagster.market.kernels.windows import TILE, load, longest, store, tail_size


@compiled
def _moving(offsets, x, weights, state, out):
    """Y = y' + weight (x - y') with a weight for each row, starting with the first x."""
    for s in range(len(offsets) - 1):
        known, y = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            following = y + weights[i] * (x[i] - y) if known else x[i] + 0.0 * weights[i]
            out[i] = following
            if following == following:
                known, y = True, following
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, y


def _dma(offsets, x, weight, state, out):
    _moving(offsets, x, np.full(len(x), weight), state, out)


def _ema_varying(offsets, x, n, state, out):
    n = np.trunc(n)
    _moving(offsets, x, np.where(n >= 1, 2.0 / (np.maximum(n, 1.0) + 1.0), np.nan), state, out)


def _sma_varying(offsets, x, n, m, state, out):
    n = np.trunc(n)
    _moving(offsets, x, np.where(n >= 1, m / np.maximum(n, 1.0), np.nan), state, out)


@compiled
def _tma(offsets, x, a, b, state, out):
    """Y = a y' + b x, starting with the first x."""
    for s in range(len(offsets) - 1):
        known, y = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            following = a * y + b * x[i] if known else x[i]
            out[i] = following
            if following == following:
                known, y = True, following
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, y


@compiled
def _expmema(offsets, x, n, state, out):
    """The recursion of EMA, starting with the mean of the first n values. The state: their number, and sum or y."""
    size = float(int(n))
    for s in range(len(offsets) - 1):
        count, y = state[s, 0], state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            out[i] = np.nan
            if x[i] == x[i]:
                y = y + 2.0 / (size + 1.0) * (x[i] - y) if count >= size else y + x[i]
                count = min(count + 1.0, size + 1.0)
                y = y / size if count == size else y
                out[i] = y if count >= size else np.nan
        state[s, 0], state[s, 1] = count, y


@compiled
def _weighted(offsets, x, weights, total, state, out):
    """Sum of the last rows times weights that add up to `total`; taken relative to the newest, to lose no digits."""
    n = len(weights)
    keep = n - 1
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        load(x[start:end], keep, state[s], buffer)
        for first in range(0, end - start, TILE):
            last = min(first + TILE, end - start)
            newest, results = buffer[first + keep : last + keep], out[start + first : start + last]
            for i in range(last - first):
                results[i] = total * newest[i]
            for k in range(keep):
                earlier, weight = buffer[first + k : last + k], weights[k]
                for i in range(last - first):
                    results[i] += weight * (earlier[i] - newest[i])
        store(end - start, keep, state[s], buffer)


def _wma(offsets, x, n, state, out):
    weights = np.arange(1.0, int(n) + 1.0)
    _weighted(offsets, x, weights / weights.sum(), 1.0, state, out)


def _regression(n: float, point: Callable[[float], float]) -> np.ndarray:
    """Return the weights of a line's slope times `point(mean of the positions)`."""
    positions = np.arange(int(n)) - (int(n) - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return positions / (positions @ positions) * point((int(n) - 1) / 2)


def _slope(offsets, x, n, state, out):
    _weighted(offsets, x, _regression(n, lambda _: 1.0), 0.0, state, out)
    if n < 2:
        out[:] = np.nan


def _forecast(offsets, x, n, state, out):
    _weighted(offsets, x, _regression(n, lambda half: half) + 1.0 / int(n), 1.0, state, out)
    if n < 2:
        out[:] = np.nan


@compiled
def _true_range(offsets, high, low, close, state, out):
    for s in range(len(offsets) - 1):
        known, before = state[s, 0] > 0, state[s, 1]
        for i in range(offsets[s], offsets[s + 1]):
            span = high[i] - low[i]
            out[i] = max(span, abs(high[i] - before), abs(low[i] - before)) if known else span
            if close[i] == close[i]:
                known, before = True, close[i]
        state[s, 0], state[s, 1] = 1.0 if known else 0.0, before


PRIMITIVES = (
    Primitive("DMA", "xn", _dma, two_values),
    Primitive("DMA", "xx", _moving, two_values),
    Primitive("EMA", "xx", _ema_varying, two_values),
    Primitive("SMA", "xxn", _sma_varying, two_values),
    Primitive("TMA", "xnn", _tma, two_values),
    Primitive("EXPMEMA", "xn", _expmema, two_values),
    Primitive("WMA", "xn", _wma, tail_size),
    Primitive("SLOPE", "xn", _slope, tail_size),
    Primitive("FORCAST", "xn", _forecast, tail_size),
    Primitive("TR", "xxx", _true_range, two_values),
)
