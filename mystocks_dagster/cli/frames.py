"""Frames of the lake as tables that people read: the same number of decimals in the whole column."""

from collections.abc import Iterator
from typing import Any

from mystocks_dagster.cli.tables import print_table

#: Decimals of prices and ratios: fewest, most, and most where all values are below one.
_FEWEST, _MOST, _MOST_SMALL = 2, 3, 6
#: The first columns, which a narrow terminal shows too: the key and what follows it.
_KEPT = 4


def print_frame(frame: Any) -> None:
    """Print a polars frame; numbers are rounded to two or three decimals, those below one to at most six.

    A narrow terminal shows as many columns as fit, from the first on.
    """
    rows = zip(*(_texts(frame[name]) for name in frame.columns), strict=True)
    print_table(frame.columns, rows, optional=frame.columns[: _KEPT - 1 : -1], data=True)


def _texts(column: Any) -> Iterator[Any]:
    values = column.to_list()
    if not column.dtype.is_float():
        yield from values
        return
    decimals = decimals_of([value for value in values if value is not None])
    for value in values:
        yield None if value is None else f"{value:,.{decimals}f}"


def decimals_of(values: list[float]) -> int:
    """Return how many decimals a column needs.

    Examples:
        >>> decimals_of([9.0, 12.34]), decimals_of([3.875, 12.0]), decimals_of([10.123456]), decimals_of([0.00012])
        (2, 3, 3, 5)
    """
    finite = [abs(value) for value in values if abs(value) < float("inf")]
    most = _MOST if max(finite, default=1.0) >= 1 else _MOST_SMALL
    return next(
        (count for count in range(_FEWEST, most) if all(abs(value - round(value, count)) < 1e-9 for value in finite)),
        most,
    )
