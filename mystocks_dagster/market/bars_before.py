"""The bar before each bar of a frame: where it is, and its values.

In numpy, with small numbers for days: a market's year has a million rows, and most questions concern few of them.
"""

from functools import cached_property

import numpy as np
import polars as pl

from mystocks_dagster.market.days_of_rows import distinct_days
from mystocks_dagster.market.symbol_runs import places, ranks

#: The place of a bar that does not exist.
ABSENT = np.uint16(2**16 - 1)
#: The number of bars after which a symbol has a price limit: five days without a limit, and one more.
SETTLED = 6


class BarsBefore:
    """The bars of a frame, each with the symbol's bar before it, out of the frame and of stored bars.

    Attributes:
        loaded: All days of the frame and of the stored bars, ascending.
        place: For each row of the frame, the place of its day among `loaded`.
        settled: For each row of the frame, whether the symbol has at least `SETTLED` bars before it.
    """

    def __init__(self, frame: pl.DataFrame, stored: pl.DataFrame) -> None:
        """Find the bars before.

        Args:
            frame: Bars in any order, each key once; fastest when they are sorted by symbol and date.
            stored: The same columns of bars of other days; fastest when these days lie before the frame's.
        """
        self.bars = pl.concat([frame, stored])
        self.loaded = pl.Series(distinct_days(self.bars["date"]), dtype=pl.Date)
        self._places = places(self.bars["date"], self.loaded)
        self.place = self._places[: frame.height]
        runs = frame["symbol"].rle().struct.unnest()
        self._starts = np.cumsum(runs["len"].to_numpy(), dtype=np.int64) - runs["len"].to_numpy()
        self._in_order = self._is_in_order(runs["value"], stored)
        find = self._found_in_order if self._in_order else self._found
        self._rows, self.settled = find(runs, frame, stored)

    def column(self, name: str) -> pl.Series:
        """Return a column's value in the bar before each row of the frame; null where there is none."""
        values = self.bars[name]
        if not self._in_order:
            return values.gather(_nullable(self._rows))
        shifted = values.head(len(self.place)).shift(1)
        return shifted.scatter(self._starts, values.gather(_nullable(self._rows))) if len(self._starts) else shifted

    @cached_property
    def place_before(self) -> np.ndarray:
        """For each row of the frame, the place of the day of the bar before among `loaded`; `ABSENT` without one."""
        if not self._in_order:
            return np.where(self._rows < 0, ABSENT, self._places[self._rows])
        places = np.empty_like(self.place)
        places[1:] = self.place[:-1]
        places[self._starts] = np.where(self._rows < 0, ABSENT, self._places[self._rows])
        return places

    def rows_before(self, at: np.ndarray) -> np.ndarray:
        """Return the row in `bars` of the bar before each of the rows `at` of the frame; -1 without one."""
        if not self._in_order:
            return self._rows[at]
        run = np.searchsorted(self._starts, at, side="right") - 1
        return np.where(self._starts[run] == at, self._rows[run], at - 1)

    def _is_in_order(self, names: pl.Series, stored: pl.DataFrame) -> bool:
        """Return whether the frame is sorted by symbol and date, and all stored days lie before its own."""
        if not len(self.place):
            return False
        rises = self.place[1:] > self.place[:-1]
        rises[self._starts[1:] - 1] = True
        after = not stored.height or self._places[len(self.place) :].max() < self.place.min()
        return bool(after and rises.all() and (names.head(-1) < names.tail(-1)).all())

    def _found_in_order(
        self, runs: pl.DataFrame, frame: pl.DataFrame, stored: pl.DataFrame
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the row of the bar before the first of each run, or -1, and the settled rows.

        Of all other rows, the bar before is the row before.
        """
        last = stored.select("symbol", "date").with_row_index("row", offset=frame.height).group_by("symbol")
        last = last.agg(pl.col("row").cast(pl.Int64).sort_by("date").last(), bars=pl.len().cast(pl.Int64))
        last = runs.join(last, left_on="value", right_on="symbol", how="left", maintain_order="left")
        known, lengths = last["bars"].fill_null(0).to_numpy(), runs["len"].to_numpy()
        settled = np.ones(frame.height, dtype=bool)
        for position in range(SETTLED):
            settled[self._starts[(lengths > position) & (known + position < SETTLED)] + position] = False
        return last["row"].fill_null(-1).to_numpy(), settled

    def _found(self, runs: pl.DataFrame, frame: pl.DataFrame, stored: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each row of the frame, the row of the bar before, or -1, and the settled rows."""
        codes = ranks(self.bars["symbol"])
        # A stable sort of small numbers is a radix sort, so days first, which are mostly sorted, and then symbols.
        by_day = np.argsort(self._places, kind="stable")
        order = by_day[np.argsort(codes[by_day], kind="stable")]
        sorted_codes = codes[order]
        before = np.full(len(order), -1)
        same = sorted_codes[1:] == sorted_codes[:-1]
        before[order[1:][same]] = order[:-1][same]
        settled = np.zeros(len(order), dtype=bool)
        settled[order[SETTLED:][sorted_codes[SETTLED:] == sorted_codes[:-SETTLED]]] = True
        return before[: frame.height], settled[: frame.height]


def _nullable(rows: np.ndarray) -> pl.Series:
    """Return positions, with null in place of -1."""
    return pl.select(pl.when(pl.lit(pl.Series(rows)) >= 0).then(pl.lit(pl.Series(rows)))).to_series()
