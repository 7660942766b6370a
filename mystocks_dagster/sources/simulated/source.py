"""The `simulated` source: a deterministic A-share market that obeys the real rules."""

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
from mystocks_dagster.sources.simulated.actions import corporate_actions
from mystocks_dagster.sources.simulated.flows import capital_flow
from mystocks_dagster.sources.simulated.funds import etf_quotes
from mystocks_dagster.sources.simulated.life import life
from mystocks_dagster.sources.simulated.longhubang import longhubang
from mystocks_dagster.sources.simulated.market import Market
from mystocks_dagster.sources.simulated.options import Options
from mystocks_dagster.sources.simulated.quotes import stock_quotes
from mystocks_dagster.sources.simulated.statements import statements

#: Frames of bars hold at most about so many rows.
_ROWS = 250_000


class SimulatedSource:
    """A market made from a seed: it goes on as days pass, and what has happened never changes.

    Bars of a stock and day depend on the seed and the start alone, not on the present moment, the other days or
    symbols asked for, or the number of stocks. See `docs/sources.md`.
    """

    name = "simulated"
    has_history = True
    offers = frozenset(
        {
            *(
                "stocks",
                "daily_bars",
                "corporate_actions",
                "balance_sheets",
                "income_statements",
                "cash_flows",
                "stock_quotes",
                "etf_quotes",
            ),
            *("longhubang", "capital_flow_stock", "capital_flow_sector", "capital_flow_concept"),
        }
    )

    def __init__(self, settings: Settings) -> None:
        """Read the options; the market itself is made when it is first asked for.

        Raises:
            SettingsError: `MYSTOCKS_SIMULATED` cannot be read.
        """
        self.options = Options.parse(settings.source_option(self.name))
        self.world = self.options.world
        self._made: Market | None = None

    def bar_days(self) -> tuple[date, date]:
        """Return the first day of the market and the latest closed one.

        Raises:
            SettingsError: The market begins after the present moment.
        """
        last = _latest_closed(clock.now())
        self._check_begun(last)
        return self.options.start, last

    def trading_days(self) -> list[date]:
        """Return the trading days of the calendar in force: this market makes up prices, no calendar."""
        return shanghai().sessions(shanghai().first, shanghai().last)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield `daily_bars` by day and symbol, up to 250,000 rows a frame; suspended days are rows too."""
        market = self._market()
        ordinals = market.ordinals(self._closed(days))
        wanted = None if symbols is None else np.isin(np.array(market.stocks.symbols), list(symbols))
        block = max(1, _ROWS // len(market.stocks))
        for at in range(0, len(ordinals), block):
            frame = market.bar_frame(market.bars(ordinals[at : at + block]), wanted)
            if frame.height:
                yield frame

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stocks that have been listed by now, under their present names."""
        now = clock.now()
        market = self._market()
        today = np.array([len(market.sessions) - 1])
        facts = life(market.noise, market.stocks, today)
        shown = facts.listed if not include_delisted else market.stocks.listed <= today[:, None]
        keys, at = market.flat(today, shown)
        listed, left = (
            [market.day(ordinal) for ordinal in dates[at[1]]]
            for dates in (market.stocks.listed, market.stocks.delisted)
        )
        return keys.with_columns(
            name=market.names(today, facts, at),
            exchange=exchange_expr(),
            board=board_expr(),
            is_st=pl.Series(facts.is_st[at]),
            list_date=pl.Series(listed, dtype=pl.Date),
            delist_date=pl.Series(left, dtype=pl.Date),
            updated_at=pl.lit(now).cast(MOMENT),
        ).select(list(STOCKS.dtypes))

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of those quarters that are published by now."""
        return statements(self._market(), table, periods, clock.now().date())

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the dividends and splits of the closed trading days from `start` to `end`."""
        market = self._market()
        return corporate_actions(market, self._closed(day for day in market.sessions if start <= day <= end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return the market as it stands now: today's session from 09:15 on, else the end of the last one."""
        now = clock.now().replace(microsecond=0)
        return (stock_quotes if table == "stock_quotes" else etf_quotes)(self._market(), now)

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the rows of the closed trading days from `start` to `end`."""
        market = self._market()
        return longhubang(market, self._closed(day for day in market.sessions if start <= day <= end))

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the flow of that day; nothing when it is not a closed trading day of the market."""
        market = self._market()
        return capital_flow(market, kind, self._closed([day]))

    def rows(self, table: str, start: date, end: date) -> NoReturn:
        """Return nothing yet: every table of this market has a method of its own.

        Raises:
            NotOffered: Always.
        """
        raise NotOffered(f"The simulated market has no {table}.")

    def _closed(self, days: Iterable[date]) -> list[date]:
        last = _latest_closed(clock.now())
        return [day for day in days if day <= last]

    def _market(self) -> Market:
        """Return the market up to today's session, which its own bars may already know to the end."""
        last = shanghai().sessions(shanghai().first, min(clock.now().date(), shanghai().last))[-1]
        self._check_begun(last)
        if self._made is None or self._made.sessions[-1] != last:
            self._made = Market(self.options, last)
        return self._made

    def _check_begun(self, last: date) -> None:
        if last < self.options.start:
            raise SettingsError(
                f"The simulated market begins on {self.options.start}, and the last session is {last}; "
                "set an earlier start=YYYY-MM-DD in MYSTOCKS_SIMULATED."
            )


def _latest_closed(moment: datetime) -> date:
    # The market ends with the published calendar: it does not go on by guessed days.
    end = datetime.combine(shanghai().last, time.max, clock.SHANGHAI)
    return shanghai().latest_closed(min(moment, end))
