"""The interface of a data source: it offers tables and returns frames that obey their contracts."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Literal, Protocol

import polars as pl

FlowKind = Literal["stock", "sector", "concept"]
StatementTable = Literal["balance_sheets", "income_statements", "cash_flows"]
QuoteTable = Literal["stock_quotes", "etf_quotes"]

#: Receives the progress of long work: steps that are done, steps in total (0: unknown), and what is being done.
Progress = Callable[[int, int, str], None]


class MarketSource(Protocol):
    """A source of market data.

    Every method returns frames with exactly the columns, types and units of `market.tables`. An empty frame means that
    there is no data, never that a request failed. A table that is not in `offers` raises `NotOffered`.

    Attributes:
        name: The value of `data_source`.
        world: `real`, or `simulated:<seed>`; a lake belongs to one world.
        offers: Names of the tables that this source can fill.
        has_history: False if bars of past days cannot be fetched for the whole market.

    A source may have an attribute `with_bars`: names of tables of which `rows` needs no further request for the days
    that `daily_bars` has just yielded.
    """

    name: str
    world: str
    offers: frozenset[str]
    has_history: bool

    def bar_days(self) -> tuple[date, date]:
        """Return the first and last trading day for which `daily_bars` can return bars.

        If the calendar ends before the present day, the last day is that of the source's newest data.
        """
        ...

    def trading_days(self) -> list[date]:
        """Return all trading days from the first to the last that the source states, ascending.

        They do not follow from its bars: an archive may lack the bars of a trading day.

        Raises:
            NotOffered: The source states no trading days.
        """
        ...

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield bars (`daily_bars`) of whole trading days in ascending order, several days per frame.

        A day of `days` that is in no frame has no data at this source. `symbols` None means all.
        """
        ...

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list (`stocks`)."""
        ...

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of `periods` that are published by now, for all symbols."""
        ...

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the published distributions (`corporate_actions`) with ex-dividend days from `start` to `end`."""
        ...

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return one snapshot of the whole market with its time."""
        ...

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the 龙虎榜 rows of the trading days from `start` to `end`, both included."""
        ...

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of a trading day by stock, sector or concept (`capital_flow_<kind>`)."""
        ...

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows from `start` to `end`, both included, of a table that has no method above.

        For a new table a source needs this method and the name in `offers`, nothing else.
        """
        ...


class HistorySource(MarketSource, Protocol):
    """A source that has the past of the whole market in bulk, such as in one archive.

    `sources.history.history_of` gives every other source the same interface, day by day.

    Attributes:
        history_tables: Names of the tables that `history` can yield.
    """

    history_tables: frozenset[str]

    def history(
        self, tables: Sequence[str], start: date, end: date, *, actions: pl.DataFrame | None, progress: Progress
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the rows of `tables` from `start` to `end`: the name of a table and a frame of one calendar year of it.

        Years ascend. Within a year the tables are in the order of `tables`. A frame has all rows of its table in that
        year (or in its part from `start` to `end`) and exactly the declared columns, sorted by symbol and date. A year
        without rows has no frame. The caller may stop after any frame: frames must not depend on it.

        Args:
            tables: Names out of `history_tables`.
            start: The first day.
            end: The last day.
            actions: All known rows of `corporate_actions` up to `end`, which give `prev_close` where the source states
                none; the caller stores them before the bars. None: no actions are known, so that such a `prev_close`
                is the last close, and `actions_known` is false.
            progress: Called while the source prepares itself, such as with the bytes of a download.

        Raises:
            SourceUnavailable: The source does not answer; what was received so far is kept for the next call.
            SourceChanged: The archive is damaged or of another format; the message names file and position.
        """
        ...
