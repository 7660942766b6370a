"""Statistics over the last n rows; no value until the window is full, nor while it holds a NaN."""

import math

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.windows import load, longest, store, tail_size


@compiled
def _mean_deviations(offsets, x, n, state, out):
    """Mean of the absolute deviations from the mean of the window."""
    size = int(n)
    keep = size - 1
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        load(x[start:end], keep, state[s], buffer)
        for i in range(end - start):
            window = buffer[i : i + size]
            newest, total, deviation = window[keep], 0.0, 0.0
            for k in range(size):
                total += window[k] - newest
            mean = total / size
            for k in range(size):
                deviation += abs(window[k] - newest - mean)
            out[start + i] = deviation / size
        store(end - start, keep, state[s], buffer)


@compiled
def _together(offsets, x, y, n, relate, state, out):
    """Covariance of two series, or their correlation; values are taken relative to the newest of the window."""
    size = int(n)
    keep = size - 1
    first, second = np.empty(longest(offsets) + keep), np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        load(x[start:end], keep, state[s, :size], first)
        load(y[start:end], keep, state[s, size:], second)
        for i in range(end - start):
            a, b = first[i : i + size], second[i : i + size]
            sum_a = sum_b = sum_ab = sum_aa = sum_bb = 0.0
            for k in range(size):
                u, v = a[k] - a[keep], b[k] - b[keep]
                sum_a += u
                sum_b += v
                sum_ab += u * v
                sum_aa += u * u
                sum_bb += v * v
            covariance = sum_ab / size - sum_a / size * (sum_b / size)
            if relate:
                square_a = sum_aa / size - sum_a / size * (sum_a / size)
                square_b = sum_bb / size - sum_b / size * (sum_b / size)
                both = square_a * square_b
                covariance = covariance / math.sqrt(both) if both > 0.0 else np.nan
                covariance = min(1.0, max(-1.0, covariance)) if covariance == covariance else covariance
            out[start + i] = covariance
        store(end - start, keep, state[s, :size], first)
        store(end - start, keep, state[s, size:], second)


def _covariance(offsets, x, y, n, state, out):
    _together(offsets, x, y, n, False, state, out)


def _correlation(offsets, x, y, n, state, out):
    _together(offsets, x, y, n, True, state, out)


@compiled
def _products(offsets, x, n, state, out):
    """Product of the last n rows; with n = 0 of all so far, rows without a value passed over."""
    size = max(int(n), 1)
    keep = size - 1
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        if n < 1:
            product = state[s, 1] if state[s, 0] > 0 else 1.0
            for i in range(start, end):
                product *= x[i] if x[i] == x[i] else 1.0
                out[i] = product if x[i] == x[i] else np.nan
            state[s, 0], state[s, 1] = 1.0, product
            continue
        load(x[start:end], keep, state[s], buffer)
        for i in range(end - start):
            product = 1.0
            for k in range(size):
                product *= buffer[i + k]
            out[start + i] = product
        store(end - start, keep, state[s], buffer)


@compiled
def _ranks(offsets, x, n, sign, state, out):
    """Rank of x among the last n rows, or all so far with n = 0; equal values share the better rank."""
    keep = int(n) - 1 if n >= 1 else 0
    buffer = np.empty(longest(offsets) + keep)
    for s in range(len(offsets) - 1):
        start, end = offsets[s], offsets[s + 1]
        if n < 1:  # without a state
            buffer[: end - start] = x[start:end]
        else:
            load(x[start:end], keep, state[s], buffer)
        for i in range(end - start):
            newest = buffer[i + keep]
            rank = 1.0
            for k in range(i if n >= 1 else 0, i + keep):
                rank += sign * buffer[k] > sign * newest
            out[start + i] = rank if newest == newest else np.nan
        if n >= 1:
            store(end - start, keep, state[s], buffer)


def _high_rank(offsets, x, n, state, out):
    _ranks(offsets, x, n, 1.0, state, out)


def _low_rank(offsets, x, n, state, out):
    _ranks(offsets, x, n, -1.0, state, out)


def _tail_or_none(n: float) -> int | None:
    """Return the size of the state; with n = 0 all rows so far are compared, which no state holds."""
    return tail_size(n) if n >= 1 else None


PRIMITIVES = (
    Primitive("AVEDEV", "xn", _mean_deviations, tail_size),
    Primitive("COVAR", "xxn", _covariance, lambda n: 2 * int(n)),
    Primitive("RELATE", "xxn", _correlation, lambda n: 2 * int(n)),
    Primitive("MULAR", "xn", _products, lambda n: max(tail_size(n), 2)),
    Primitive("HOD", "xn", _high_rank, _tail_or_none),
    Primitive("LOD", "xn", _low_rank, _tail_or_none),
)
