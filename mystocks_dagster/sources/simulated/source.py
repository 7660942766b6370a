"""The `simulated` source: a deterministic A-share market under the real trading rules."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import NoReturn

import numpy as np
import polars as pl

from mystocks_dagster.errors import NotOffered, SettingsError
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import board_expr, exchange_expr
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables.reference import STOCKS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import FlowKind, QuoteTable, StatementTable
from mystocks_dagster.sources.simulated import SOURCE
from mystocks_dagster.sources.simulated.actions import corporate_actions
from mystocks_dagster.sources.simulated.flows import capital_flow
from mystocks_dagster.sources.simulated.funds import etf_quotes
from mystocks_dagster.sources.simulated.life import life
from mystocks_dagster.sources.simulated.longhubang import longhubang
from mystocks_dagster.sources.simulated.market import Market
from mystocks_dagster.sources.simulated.options import Options
from mystocks_dagster.sources.simulated.quotes import stock_quotes
from mystocks_dagster.sources.simulated.statements import statements

#: The approximate maximum number of rows of a frame of bars.
_ROWS = 250_000


class SimulatedSource:
    """A market made from a seed: it continues day by day, and its past never changes.

    The bar of a stock and day depends on the seed and the start only, not on the present moment, the other requested
    days and symbols, or the number of stocks. See `docs/sources.md`.
    """

    name = "simulated"
    has_history = True
    offers = SOURCE.tables

    def __init__(self, settings: Settings) -> None:
        """Read the options; the market is made when it is first needed.

        Raises:
            SettingsError: `MYSTOCKS_SIMULATED` is invalid.
        """
        self.options = Options.parse(settings.source_option(self.name))
        self.world = self.options.world
        self._cached: Market | None = None

    def bar_days(self) -> tuple[date, date]:
        """Return the first day of the market and the latest closed one.

        Raises:
            SettingsError: The market begins in the future.
        """
        last = _latest_closed(clock.now())
        self._check_begun(last)
        return self.options.start, last

    def trading_days(self) -> list[date]:
        """Return the trading days of the calendar in force: this market has no calendar of its own."""
        return shanghai().sessions(shanghai().first, shanghai().last)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield `daily_bars` by day and symbol, about 250,000 rows per frame, with rows for suspended days."""
        market = self._market()
        ordinals = market.ordinals(self._closed(days))
        selected = None if symbols is None else np.isin(np.array(market.stocks.symbols), list(symbols))
        block = max(1, _ROWS // len(market.stocks))
        for at in range(0, len(ordinals), block):
            frame = market.bar_frame(market.bars(ordinals[at : at + block]), selected)
            if frame.height:
                yield frame

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stocks listed by now with their present names."""
        now = clock.now()
        market = self._market()
        today = np.array([len(market.sessions) - 1])
        facts = life(market.noise, market.stocks, today)
        selected = market.stocks.listed <= today[:, None] if include_delisted else facts.listed
        keys, at = market.flat(today, selected)
        list_dates = [market.day(ordinal) for ordinal in market.stocks.listed[at[1]]]
        delist_dates = [market.day(ordinal) for ordinal in market.stocks.delisted[at[1]]]
        return keys.with_columns(
            name=market.names(today, facts, at),
            exchange=exchange_expr(),
            board=board_expr(),
            is_st=pl.Series(facts.is_st[at]),
            list_date=pl.Series(list_dates, dtype=pl.Date),
            delist_date=pl.Series(delist_dates, dtype=pl.Date),
            updated_at=pl.lit(now).cast(MOMENT),
        ).select(list(STOCKS.dtypes))

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of `periods` that are published by now."""
        return statements(self._market(), table, periods, clock.now().date())

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the dividends and splits of the closed trading days from `start` to `end`."""
        market = self._market()
        return corporate_actions(market, self._closed(day for day in market.sessions if start <= day <= end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return the current snapshot: from 09:15 that of today's session, before that the end of the last one."""
        now = clock.now().replace(microsecond=0)
        return (stock_quotes if table == "stock_quotes" else etf_quotes)(self._market(), now)

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the rows of the closed trading days from `start` to `end`."""
        market = self._market()
        return longhubang(market, self._closed(day for day in market.sessions if start <= day <= end))

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of `day`; empty if it is not a closed trading day of the market."""
        market = self._market()
        return capital_flow(market, kind, self._closed([day]))

    def rows(self, table: str, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`: every table of this market has a method of its own."""
        raise NotOffered(f"The simulated market has no {table}.")

    def _closed(self, days: Iterable[date]) -> list[date]:
        last = _latest_closed(clock.now())
        return [day for day in days if day <= last]

    def _market(self) -> Market:
        """Return the market up to the end of today's session; callers leave out what is in the future."""
        last = shanghai().sessions(shanghai().first, min(clock.now().date(), shanghai().last))[-1]
        self._check_begun(last)
        if self._cached is None or self._cached.sessions[-1] != last:
            self._cached = Market(self.options, last)
        return self._cached

    def _check_begun(self, last: date) -> None:
        if last < self.options.start:
            raise SettingsError(
                f"The simulated market begins on {self.options.start}, and the last session is {last}; "
                "set an earlier start=YYYY-MM-DD in MYSTOCKS_SIMULATED."
            )


def _latest_closed(moment: datetime) -> date:
    # The market ends with the calendar: it does not continue on assumed trading days.
    end = datetime.combine(shanghai().last, time.max, clock.SHANGHAI)
    return shanghai().latest_closed(min(moment, end))
