"""Primitives that look ahead, for charts. Their past changes with every new row, so nothing carries them on.

Those that look ahead as others look back are computed on the rows in reverse order.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.conditions import PRIMITIVES as CONDITIONS
from mystocks_dagster.market.kernels.extremes import PRIMITIVES as EXTREMES
from mystocks_dagster.market.kernels.primitive import Primitive
from mystocks_dagster.market.kernels.recursions import PRIMITIVES as RECURSIONS
from mystocks_dagster.market.kernels.windows import PRIMITIVES as WINDOWS

_BACKWARD = {
    primitive.name: primitive
    for primitive in (*CONDITIONS, *EXTREMES, *RECURSIONS, *WINDOWS)
    if "xx" not in primitive.kinds
}


def _symbols(offsets: np.ndarray) -> Iterator[slice]:
    """Yield the rows of each symbol that has any."""
    for start, end in pairwise(offsets):
        if end > start:
            yield slice(int(start), int(end))


def _reversed(name: str) -> Callable[..., None]:
    """Return a kernel that computes another primitive on the rows from the last to the first."""
    backward = _BACKWARD[name]

    def run(offsets, x, *arguments):
        *numbers, _, out = arguments
        # Reversing all rows reverses each symbol's, and the order of the symbols.
        backward_offsets = np.ascontiguousarray(offsets[-1] - offsets[::-1])
        backward_x = np.ascontiguousarray(x[::-1])
        state = np.zeros((len(offsets) - 1, backward.state_size(*numbers) or 0))
        backward_out = np.empty(len(x))
        backward.run(backward_offsets, backward_x, *numbers, state, backward_out)
        out[:] = backward_out[::-1]

    return run


def _ref_x_varying(offsets, x, n, _, out):
    for rows in _symbols(offsets):
        values, ahead = x[rows], n[rows]
        last = len(values) - 1
        known = (ahead >= 0) & (np.arange(last + 1) + np.trunc(ahead) <= last)
        places = np.flatnonzero(known)
        out[rows] = np.nan
        out[rows.start + places] = values[places + ahead[places].astype(np.int64)]


def _back_set(offsets, x, n, _, out):
    """1 on the n rows up to each one on which the condition is true, n as on that row."""
    sizes = np.broadcast_to(n, len(x))
    for rows in _symbols(offsets):
        ends = np.flatnonzero((x[rows] != 0) & ~np.isnan(x[rows]) & (sizes[rows] >= 1))
        begins = np.maximum(ends - sizes[rows][ends].astype(np.int64) + 1, 0)
        changes = np.zeros(rows.stop - rows.start + 1)
        np.add.at(changes, begins, 1.0)
        np.add.at(changes, ends + 1, -1.0)
        out[rows] = np.cumsum(changes[:-1]) > 0


def _xma(offsets, x, n, _, out):
    """Mean of the values among the n rows around this one; of an even n one more before than after."""
    before, after = int(n) // 2, (int(n) - 1) // 2
    for rows in _symbols(offsets):
        values = x[rows]
        exists = ~np.isnan(values)
        sums = np.concatenate(([0.0], np.cumsum(np.where(exists, values, 0.0))))
        counts = np.concatenate(([0.0], np.cumsum(exists)))
        places = np.arange(len(values))
        first, last = np.maximum(places - before, 0), np.minimum(places + after + 1, len(values))
        with np.errstate(invalid="ignore", divide="ignore"):
            out[rows] = (sums[last] - sums[first]) / (counts[last] - counts[first])


def _const(offsets, x, _, out):
    for rows in _symbols(offsets):
        out[rows] = x[rows.stop - 1]


def _current_bars_count(offsets, _, __, out):
    for rows in _symbols(offsets):
        out[rows] = np.arange(rows.stop - rows.start, 0, -1)


def _total_bars_count(offsets, _, __, out):
    for rows in _symbols(offsets):
        out[rows] = rows.stop - rows.start


def _is_last_bar(offsets, _, __, out):
    for rows in _symbols(offsets):
        out[rows] = 0.0
        out[rows.stop - 1] = 1.0


def _bar_status(offsets, _, __, out):
    for rows in _symbols(offsets):
        out[rows] = 0.0
        out[rows.start] = 1.0
        out[rows.stop - 1] = 2.0


@compiled
def _turning_points(x, part, points):
    """Put the rows at which x turns by `part` into `points`, with the first and the last row; return their number."""
    last = len(x) - 1
    count, candidate, direction = 1, 0, 0
    points[0] = 0
    for i in range(1, len(x)):
        rise, fall = x[i] >= x[candidate] * (1.0 + part), x[i] <= x[candidate] * (1.0 - part)
        if direction == 0:
            if rise or fall:
                direction, candidate = 1 if rise else -1, i
        elif (direction > 0 and x[i] >= x[candidate]) or (direction < 0 and x[i] <= x[candidate]):
            candidate = i
        elif (direction > 0 and fall) or (direction < 0 and rise):
            points[count] = candidate
            count, direction, candidate = count + 1, -direction, i
    if 0 < candidate < last and direction != 0:
        points[count] = candidate
        count += 1
    if last > 0:
        points[count] = last
        count += 1
    return count


def _points(x: np.ndarray, percent: float) -> np.ndarray:
    """Return the rows at which ZIG turns, with the first and the last row; rows without a value are not seen."""
    exists = np.flatnonzero(~np.isnan(x))
    if not len(exists):
        return exists
    points = np.empty(len(exists) + 2, np.int64)
    count = _turning_points(np.ascontiguousarray(x[exists]), percent / 100.0, points)
    return exists[points[:count]]


def _zig(offsets, x, percent, _, out):
    for rows in _symbols(offsets):
        values = x[rows]
        points = _points(values, percent)
        out[rows] = np.nan
        if len(points):
            places = np.arange(points[0], points[-1] + 1)
            out[rows.start + places] = np.interp(places, points, values[points])


def _turns(offsets, x, percent, which, peaks, bars, out):
    """The value of the last peaks or troughs of ZIG, or the rows since then."""
    for rows in _symbols(offsets):
        values = x[rows]
        points = _points(values, percent)
        inner = points[1:-1]
        above = values[inner] > values[points[2:]] if len(points) > 2 else np.empty(0, bool)
        turns = inner[above == peaks]
        places = np.arange(len(values))
        index = np.searchsorted(turns, places, side="right") - int(which)
        known = index >= 0
        out[rows] = np.nan
        chosen = turns[index[known]]
        out[rows.start + places[known]] = places[known] - chosen if bars else values[chosen]


def _turn(peaks: bool, bars: bool) -> Callable[..., None]:
    def run(offsets, x, percent, which, _, out):
        _turns(offsets, x, percent, which, peaks, bars, out)

    return run


def _none(*_: float) -> None:
    return None


PRIMITIVES = (
    Primitive("REFX", "xn", _reversed("REF"), _none),
    Primitive("REFX", "xx", _ref_x_varying, _none),
    Primitive("BACKSET", "xn", _back_set, _none),
    Primitive("BACKSET", "xx", _back_set, _none),
    Primitive("FILTERX", "xn", _reversed("FILTER"), _none),
    Primitive("BARSNEXT", "x", _reversed("BARSLAST"), _none),
    Primitive("XMA", "xn", _xma, _none),
    Primitive("CONST", "x", _const, _none),
    Primitive("CURRBARSCOUNT", "x", _current_bars_count, _none),
    Primitive("TOTALBARSCOUNT", "x", _total_bars_count, _none),
    Primitive("ISLASTBAR", "x", _is_last_bar, _none),
    Primitive("BARSTATUS", "x", _bar_status, _none),
    Primitive("ZIG", "xn", _zig, _none),
    Primitive("PEAK", "xnn", _turn(peaks=True, bars=False), _none),
    Primitive("PEAKBARS", "xnn", _turn(peaks=True, bars=True), _none),
    Primitive("TROUGH", "xnn", _turn(peaks=False, bars=False), _none),
    Primitive("TROUGHBARS", "xnn", _turn(peaks=False, bars=True), _none),
)
