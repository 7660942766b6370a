"""SAR, the parabolic stop and reverse, as 通达信 and 同花顺 draw it: extremes are those of the N rows before."""

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.windows import longest

#: Before the tails of highs and lows: rows so far, whether rising, whether a new line begins, factor, SAR.
_ROWS, _RISING, _BEGINS, _FACTOR, _SAR, _FIXED = 0, 1, 2, 3, 4, 5


@compiled
def _highest(values, first, size):
    best = values[first]
    for k in range(first + 1, first + size):
        best = max(best, values[k])
    return best


@compiled
def _lowest(values, first, size):
    best = values[first]
    for k in range(first + 1, first + size):
        best = min(best, values[k])
    return best


@compiled
def _parabolic(offsets, high, low, n, step, largest, turns, state, out):
    """SAR, or its turns: 1 where it begins to rise, -1 where it begins to fall."""
    size = int(n)
    rows_most = longest(offsets) + size
    highs, lows = np.empty(rows_most), np.empty(rows_most)
    for s in range(len(offsets) - 1):
        start, rows = offsets[s], offsets[s + 1] - offsets[s]
        done, rising, begins = int(state[s, _ROWS]), state[s, _RISING] > 0, state[s, _BEGINS] > 0
        factor, sar = state[s, _FACTOR], state[s, _SAR]
        highs[:size], lows[:size] = state[s, _FIXED : _FIXED + size], state[s, _FIXED + size : _FIXED + 2 * size]
        highs[size : size + rows], lows[size : size + rows] = high[start : start + rows], low[start : start + rows]
        for i in range(rows):
            out[start + i] = np.nan
            if done == size:
                # Whether the line rises at first follows from the last two of the first N rows.
                rising, begins = size < 2 or highs[size + i - 1] > highs[size + i - 2], True
            if done >= size:
                now_high, now_low = high[start + i], low[start + i]
                if begins:
                    extreme = _lowest(lows, i, size) if rising else _highest(highs, i, size)
                    factor, sar = step / 100.0, extreme
                else:
                    extreme = _highest(highs, i, size) if rising else _lowest(lows, i, size)
                    if (rising and now_high > extreme) or (not rising and now_low < extreme):
                        factor = min(factor + step / 100.0, largest / 100.0)
                    sar += factor * (extreme - sar)
                begins = now_low < sar if rising else now_high > sar
                turned = (-1.0 if rising else 1.0) if begins else 0.0
                rising = rising != begins
                out[start + i] = turned if turns else sar
            done += 1
        state[s, _ROWS] = done
        state[s, _RISING], state[s, _BEGINS] = 1.0 if rising else 0.0, 1.0 if begins else 0.0
        state[s, _FACTOR], state[s, _SAR] = factor, sar
        state[s, _FIXED : _FIXED + size] = highs[rows : rows + size]
        state[s, _FIXED + size : _FIXED + 2 * size] = lows[rows : rows + size]


def _sar(offsets, high, low, n, step, largest, state, out):
    _parabolic(offsets, high, low, n, step, largest, False, state, out)


def _sar_turn(offsets, high, low, n, step, largest, state, out):
    _parabolic(offsets, high, low, n, step, largest, True, state, out)


def _size(n: float, *_: float) -> int:
    return _FIXED + 2 * int(n)


PRIMITIVES = (Primitive("SAR", "xxnnn", _sar, _size), Primitive("SARTURN", "xxnnn", _sar_turn, _size))
