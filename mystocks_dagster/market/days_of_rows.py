"""The days of a column of dates, by tables of all days: to sort or hash those of a market takes ten times as long."""

from collections.abc import Collection
from datetime import date

import numpy as np
import polars as pl


def rows_by_day(days: pl.Series) -> dict[date, int]:
    """Return the number of rows of each day, ascending; nulls are not counted."""
    numbers, counts = _counted(days)
    return dict(zip(pl.Series(numbers).cast(pl.Date).to_list(), counts.tolist(), strict=True))


def distinct_days(days: pl.Series) -> list[date]:
    """Return the days that occur, ascending, without null."""
    return pl.Series(_counted(days)[0]).cast(pl.Date).to_list()


def are_among(days: pl.Series, wanted: Collection[date]) -> pl.Series:
    """Return a mask of the rows whose day is one of `wanted`; a null is none of them."""
    every = pl.Series("", list(wanted), dtype=pl.Date).to_physical().to_numpy()
    present = days.drop_nulls() if days.null_count() else days
    if not len(every) or not len(present):
        return pl.repeat(value=False, n=len(days), dtype=pl.Boolean, eager=True)
    if len(present) < len(days):
        return days.is_in(list(wanted)).fill_null(value=False)
    numbers = present.to_physical().to_numpy()
    first, last = int(numbers.min()), int(numbers.max())
    table = np.zeros(last - first + 1, dtype=bool)
    table[every[(every >= first) & (every <= last)] - first] = True
    return pl.Series(table[numbers - first])


def _counted(days: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the days that occur, as days since 1970, and the number of rows of each."""
    numbers = (days.drop_nulls() if days.null_count() else days).to_physical().to_numpy()
    if not len(numbers):
        return np.empty(0, np.int32), np.empty(0, np.int64)
    first = numbers.min()
    counts = np.bincount(numbers - first)
    present = np.flatnonzero(counts)
    return (present + first).astype(np.int32), counts[present]
