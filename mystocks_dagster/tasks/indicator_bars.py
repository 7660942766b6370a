"""The bars from which indicators are computed: hfq, of the days on which a symbol traded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from mystocks_dagster.lake.data_files import data_files
from mystocks_dagster.lake.prices import before_unknown
from mystocks_dagster.lake.sorting import collect_sorted
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjust import PRICES, factors
from mystocks_dagster.market.tables.market import DAILY_BARS


@dataclass(frozen=True)
class Extent:
    """Size and span of the stored daily bars, from their transaction log.

    Attributes:
        rows: Number of rows.
        years: The years that have bars, ascending.
        last: The newest day.
    """

    rows: int
    years: tuple[int, ...]
    last: date


def stored_extent(lake: Lake) -> Extent:
    """Return the extent of the daily bars; no row is read if the files have statistics."""
    opened = lake.log(DAILY_BARS.name)
    files = data_files(opened, DAILY_BARS) if opened is not None else []
    lasts = [file.last for file in files]
    last = max((day for day in lasts if day is not None), default=date.min)
    if None in lasts:
        last = max(lake.days(DAILY_BARS.name), default=date.min)
    return Extent(sum(file.rows or 0 for file in files), tuple(sorted({file.year for file in files})), last)


class TradedBars:
    """Reads hfq bars up to an unknown ratio; events are read once.

    Args:
        lake: Where bars and events are.
        columns: The columns of `daily_bars` besides symbol and date.
    """

    def __init__(self, lake: Lake, columns: Sequence[str]) -> None:
        self.lake = lake
        self.columns = tuple(dict.fromkeys(["close", *columns]))
        self._events = lake.read("adjust_events")

    def read(
        self, start: date | None = None, end: date | None = None, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Return bars in order of symbol (an `Enum`) and date."""
        names = ["symbol", "date", *self.columns, "suspended"]
        stored = self.lake.scan("daily_bars", columns=names, symbols=symbols, start=start, end=end)
        traded = before_unknown(self.lake, stored.filter(~pl.col("suspended")).drop("suspended"), self._events)
        prices = [name for name in PRICES if name in self.columns]
        return collect_sorted(traded, self.lake.location, factors=self._factors, multiplied=prices).drop("factor")

    def _factors(self, symbols: pl.Series, days: pl.Series) -> np.ndarray:
        return factors(symbols, days, self._events)
