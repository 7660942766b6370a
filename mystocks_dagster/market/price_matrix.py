"""Random access to single bars of the whole market; a backtest reads few, so the bars stay in columns."""

from bisect import bisect_left
from datetime import date
from typing import NamedTuple

import polars as pl


class Bar(NamedTuple):
    """The values of a daily bar that an order needs; prices in CNY per share, raw."""

    open: float
    close: float
    prev_close: float | None
    is_st: bool | None
    suspended: bool


class PriceMatrix:
    """Daily bars by symbol and day."""

    def __init__(self, bars: pl.DataFrame) -> None:
        """Index `bars`: `symbol`, `date` and the fields of `Bar`; `is_st` None is unknown."""
        self._bars = bars.sort("symbol", "date").rechunk()
        self._dates = self._bars["date"]
        ends = (
            self._bars.group_by("symbol", maintain_order=True).agg(pl.len()).with_columns(end=pl.col("len").cum_sum())
        )
        self._spans = {symbol: (end - rows, end) for symbol, rows, end in ends.iter_rows()}

    def get(self, symbol: str, day: date) -> Bar | None:
        """Return the symbol's bar of the day, or None."""
        start, end = self._spans.get(symbol, (0, 0))
        row = bisect_left(self._dates, day, start, end)
        if row == end or self._dates[row] != day:
            return None
        return Bar(*(self._bars[name][row] for name in Bar._fields))
