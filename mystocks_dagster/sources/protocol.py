"""What a data source is: it offers some datasets and gives frames that obey their tables' contracts."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Literal, Protocol

import polars as pl

FlowKind = Literal["stock", "sector", "concept"]
StatementTable = Literal["balance_sheets", "income_statements", "cash_flows"]
QuoteTable = Literal["stock_quotes", "etf_quotes"]


class MarketSource(Protocol):
    """A place that market data comes from.

    Every method returns frames with exactly the columns, types and units of `market.tables`; an empty frame
    means "there is nothing", never "it failed". A dataset that is not in `offers` raises `NotOffered`.

    Attributes:
        name: As written in `data_source`.
        world: `real`, or `simulated:<seed>`; a lake belongs to one world.
        offers: Names of the tables that this source can fill.
        has_history: False when bars of past days cannot be fetched for the whole market.
    """

    name: str
    world: str
    offers: frozenset[str]
    has_history: bool

    def bar_days(self) -> tuple[date, date]:
        """Return the first and last trading day of which `daily_bars` can give bars.

        Where the calendar does not reach to the present moment, the last one is what the source shows, not the clock.
        """
        ...

    def trading_days(self) -> list[date]:
        """Return the trading days that the source itself states, ascending: all of them from the first to the last.

        Not those of its bars: a day of which an archive has none may have been a trading day.

        Raises:
            NotOffered: It states none.
        """
        ...

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield bars (`daily_bars`) of whole trading days in ascending order, some days a frame.

        A day of `days` that no frame holds has no data at this source. `symbols` None means all.
        """
        ...

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list (`stocks`)."""
        ...

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of those report periods that are published by now, all symbols."""
        ...

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the published distributions (`corporate_actions`) with ex-dividend days from `start` to `end`."""
        ...

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return one snapshot of the whole market, stamped with its time."""
        ...

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the 龙虎榜 rows of the trading days from `start` to `end`, both included."""
        ...

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of that trading day by stock, sector or concept (`capital_flow_<kind>`)."""
        ...

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows of a table that has no method above, with days from `start` to `end`, both included.

        A new table needs nothing else of a source: it is in `offers`, and its rows come from here.
        """
        ...
