"""Run kernels on a few symbols, whole and in pieces."""

from itertools import pairwise

import numpy as np

#: Rows of each symbol: none, one, a few, and more than are computed together.
LENGTHS = (130, 0, 1, 7, 600, 61, 60, 59, 300)
assert len(LENGTHS) > 8  # recursions take four symbols at once


def series(*, holes=False):
    """Prices of all symbols end to end; with holes, some are NaN, also the first ones of a symbol."""
    rng = np.random.default_rng(42)
    x = np.round(20 * np.exp(np.cumsum(rng.normal(0, 0.02, sum(LENGTHS)))), 2)
    if holes:
        x[:4] = np.nan
        x[rng.random(len(x)) < 0.01] = np.nan
    return x


def run(primitive, x, *numbers, lengths=LENGTHS):
    """Return what a kernel with one series computes from empty states."""
    state = np.zeros((len(lengths), primitive.state_size(*numbers)))
    out = np.empty(len(x))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    primitive.run(offsets, x, *(float(number) for number in numbers), state, out)
    return out


def in_pieces(primitive, values, cut, *numbers):
    """Return the same from two calls: the first `cut` rows of each symbol, and the rest with the carried state."""
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)])
    state = np.zeros((len(LENGTHS), primitive.state_size(*numbers)))
    position = np.concatenate([np.arange(length) for length in LENGTHS])
    out = np.empty(offsets[-1])
    for rows in (position < cut, position >= cut):
        lengths = [int(rows[start:end].sum()) for start, end in pairwise(offsets)]
        part = np.empty(sum(lengths))
        ends = np.concatenate([[0], np.cumsum(lengths)])
        primitive.run(ends, *(x[rows] for x in values), *(float(number) for number in numbers), state, part)
        out[rows] = part
    return out
