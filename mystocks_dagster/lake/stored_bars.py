"""The daily bars that were stored before others: read from the lake, or known to the process that stored them.

A load of many years asks the same questions about the years before each year. Reading the answers back from the lake
takes a tenth of the load.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.evidence import suspended_days
from mystocks_dagster.lake.last_bars import last_before
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.market.code_changes import CodeChanges
from mystocks_dagster.market.continuity import CONTEXT
from mystocks_dagster.market.days_of_rows import are_among, distinct_days
from mystocks_dagster.market.tables.market import DAILY_BARS

#: Stored days before new bars that these are compared with: some fifteen sessions, across any holiday.
CONTEXT_DAYS = timedelta(days=25)
_TABLE = DAILY_BARS.name
_LAST = {"symbol": pl.String, "earlier_date": pl.Date, "earlier_close": pl.Float64}


class StoredBars:
    """The stored daily bars of a lake; every question is a reading of it."""

    def __init__(self, lake: TableReader) -> None:
        self._lake = lake

    def wait(self) -> None:
        """Wait until all bars are written that are known to be stored; call it before reading or moving them."""

    def near(self, days: Sequence[date]) -> pl.DataFrame:
        """Return the stored bars shortly before and between ascending `days`, without those of `days`.

        Returns:
            The columns of `CONTEXT`, under the newest codes, in no particular order.
        """
        self.wait()
        if not days or not self._lake.exists(_TABLE):
            return DAILY_BARS.empty().select(CONTEXT)
        bars = self._lake.read(_TABLE, columns=CONTEXT, start=days[0] - CONTEXT_DAYS, end=days[-1])
        return bars.filter(~are_among(bars["date"], days))

    def last_before(self, symbols: list[str], day: date) -> pl.DataFrame:
        """Return `symbol`, `earlier_date` and `earlier_close` of the last bars before a day."""
        return last_before(self._lake, symbols, day)

    def suspended_days(self, years: Collection[int]) -> set[date]:
        """Return the days of `years` on which a suspended symbol is stored as a bar."""
        return suspended_days(self._lake, years)


class OwnBars(StoredBars):
    """The daily bars of a lake whose only writer tells of every bar before it is stored, in ascending order of days.

    A lake that had bars before is asked as in `StoredBars`, but not for symbols of which it has no bar.

    Args:
        lake: The lake.
        written: Waits until the bars that were added are written.
    """

    def __init__(self, lake: TableReader, written: Callable[[], None]) -> None:
        super().__init__(lake)
        self.wait = written
        self._all_own = not lake.exists(_TABLE)
        self._changes = lake.code_changes()
        self._recent = DAILY_BARS.empty().select(CONTEXT)
        self._last = self._newest = pl.DataFrame(schema=_LAST)
        self._suspended, self._symbols = set[date](), set[str]()
        if not self._all_own:
            self._symbols |= {*lake.scan(_TABLE, columns=["symbol"]).unique().collect()["symbol"]}

    def add(self, bars: pl.DataFrame) -> None:
        """Take bars that are stored next, under the newest codes, sorted by symbol and date, of days after the others.

        `last_before` still answers about the bars before these, `near` and `suspended_days` about all.
        """
        if bars.is_empty():
            return
        changes, self._changes = self._changes, self._lake.code_changes()
        self._symbols |= {*self._newest["symbol"]}
        newest = self._changes.newest
        if newest.keys() & {*newest.values()}:
            # In a circle of codes, rows are read back under another code than they came under.
            self._all_own = False
        if self._all_own:
            # A change of codes that was recorded since has moved stored rows to another code.
            moved = changes is not self._changes and self._lake.exists(_TABLE)
            last = [self._stored_last()] if moved else [self._last, self._newest]
            self._last = pl.concat(last).unique("symbol", keep="last", maintain_order=True)
            recent = bars.filter(bars["date"] > bars["date"].max() - CONTEXT_DAYS)  # ty: ignore[unsupported-operator]
            self._recent = pl.concat([self._recent, recent.select(CONTEXT)])
            self._recent = self._recent.filter(pl.col("date") > pl.col("date").max() - CONTEXT_DAYS)
            self._suspended |= {*distinct_days(bars["date"].filter(bars["suspended"]))}
        ends = bars["symbol"].rle().struct.field("len").cum_sum().cast(pl.Int64) - 1
        self._newest = bars.select("symbol", earlier_date="date", earlier_close="close")[ends]

    def near(self, days: Sequence[date]) -> pl.DataFrame:
        """Return the stored bars shortly before and between ascending `days`, see `StoredBars.near`."""
        if not self._all_own or self._changes is not self._lake.code_changes():
            # Rows of a code that has just changed are now those of its successor.
            return super().near(days)
        recent = self._recent.filter(pl.col("date") >= days[0] - CONTEXT_DAYS) if days else self._recent.clear()
        return recent.filter(~are_among(recent["date"], days)) if recent.height else recent

    def last_before(self, symbols: list[str], day: date) -> pl.DataFrame:
        """Return the last bars before a day that follows all bars of this writer, see `StoredBars.last_before`."""
        if not self._all_own:
            return super().last_before(self._with_bars(symbols, self._lake.code_changes()), day)
        return self._last.filter(pl.col("symbol").is_in(symbols))

    def suspended_days(self, years: Collection[int]) -> set[date]:
        """Return the days of `years` on which a suspended symbol is stored as a bar."""
        return self._suspended if self._all_own else super().suspended_days(years)

    def _stored_last(self) -> pl.DataFrame:
        """Return the last stored row of each symbol."""
        rows = self._lake.scan(_TABLE, columns=["symbol", "date", "close"])
        last = rows.group_by("symbol").agg(pl.col("date", "close").sort_by("date").last().name.prefix("earlier_"))
        return last.collect()

    def _with_bars(self, symbols: list[str], changes: CodeChanges) -> list[str]:
        """Return those of the symbols that have bars, under any of their codes."""
        known = {changes.newest.get(symbol, symbol) for symbol in self._symbols}
        return [symbol for symbol in symbols if changes.newest.get(symbol, symbol) in known]
