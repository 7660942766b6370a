"""The `baostock` source: whole trading days in one request each, one batch after another."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceError, SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import DATA_READY, published, shanghai
from mystocks_dagster.market.symbols import exchange_of, is_a_share
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS, INDEX_BARS
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.baostock import INDICES, PUBLISHED, SOURCE, frames
from mystocks_dagster.sources.baostock.session import Answer, Baostock, Session
from mystocks_dagster.sources.protocol import FlowKind, QuoteTable, StatementTable

#: Days per connection. Another process waits as long as one batch takes, which is about half a minute.
BATCH = 20

_BY_DAY = "query_daily_history_k_AStock"
_BY_SYMBOL = "query_history_k_data_plus"
_FUNDS = "query_daily_history_k_ETF"
_FACTORS = "query_daily_adjust_factor"


class BaostockSource:
    """Bars, valuation, adjustment factors, calendar and stock list of Shanghai and Shenzhen, without Beijing.

    Attributes:
        with_bars: Tables whose rows of the days that `daily_bars` has just yielded need no further request.
    """

    name = "baostock"
    world = "real"
    has_history = True
    offers = SOURCE.tables
    with_bars = ("daily_valuation",)

    def __init__(self, settings: Settings) -> None:
        """Open the source without a request.

        Raises:
            SettingsError: `MYSTOCKS_BAOSTOCK` is not `host:port`.
        """
        self._baostock = Baostock(settings)
        self._valuation: dict[date, pl.DataFrame] = {}

    @property
    def requests(self) -> dict[str, dict[str, int]]:
        """Number of requests by upstream host: those of this source, and those of all processes today."""
        return {host: dict(counts) for host, counts in self._baostock.requests.items()}

    def bar_days(self) -> tuple[date, date]:
        """Return the first session of the exchanges and the latest closed one."""
        return published().first, shanghai().probable_latest_closed(clock.now(), DATA_READY)[0]

    def trading_days(self) -> list[date]:
        """Return the trading days that the server states, from 1990 to the end of the last announced year.

        Raises:
            SourceUnavailable: The server cannot be reached, does not answer, or has banned this address.
        """
        end = clock.now().date().replace(month=12, day=31) + timedelta(days=366)
        answer = self._query("query_trade_dates", start_date=f"{published().first}", end_date=f"{end}")
        return frames.trading_days("query_trade_dates", answer)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield `daily_bars`: one request for each day of the whole market, or for each symbol.

        Raises:
            SourceUnavailable: The server failed, or does not have the bars of today yet; the days before are yielded.
        """
        days = sorted(set(days))
        if symbols is not None:
            yield from self._by_symbol(days, [symbol for symbol in symbols if _has(symbol)])
            return
        for start in range(0, len(days), BATCH):
            rows, failure = self._by_day(days[start : start + BATCH])
            if rows.height:
                yield rows
            if failure:
                raise failure

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list of Shanghai and Shenzhen."""
        call = "query_stock_basic"
        moment = clock.now().replace(microsecond=0)
        return frames.stocks(call, self._query(call), moment, include_delisted=include_delisted)

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows from `start` to `end` of another table: a request for each day, or for each index.

        Raises:
            NotOffered: The source does not offer the table.
        """
        work: dict[str, Callable[[Session, date], pl.DataFrame]] = {
            "daily_valuation": self._valuation_of,
            "adjust_factors": _factors_of,
            "etf_bars": _funds_of,
        }
        if table == "index_bars":
            return self._indices(start, end)
        if table not in work:
            raise self._not_offered(table)
        collected = [TABLES[table].empty()]
        days = _sessions(start, end)
        missing = [day for day in days if table != "daily_valuation" or day not in self._valuation]
        for first in range(0, len(missing), BATCH):
            with self._baostock.session() as session:
                collected += [work[table](session, day) for day in missing[first : first + BATCH]]
        kept = [self._valuation[day] for day in days if day not in missing]
        return pl.concat([*collected, *kept]).sort(TABLES[table].key)

    def statements(self, table: StatementTable, periods: Sequence[date]) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(table)

    def corporate_actions(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`: the server states factors, from which amounts do not follow; see `adjust_factors`."""
        raise self._not_offered("corporate_actions")

    def quotes(self, table: QuoteTable) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(table)

    def longhubang(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered("longhubang")

    def capital_flow(self, kind: FlowKind, day: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(f"capital_flow_{kind}")

    def _by_day(self, days: Sequence[date]) -> tuple[pl.DataFrame, SourceError | None]:
        """Return the bars of the days before the first failure, and that failure."""
        collected, failure = [DAILY_BARS.empty()], None
        self._valuation = {}
        try:
            with self._baostock.session() as session:
                for day in days:
                    collected.append(self._day(session, day))
        except SourceError as error:
            failure = error
        return pl.concat(collected).sort("date", "symbol"), failure

    def _day(self, session: Session, day: date) -> pl.DataFrame:
        answer = session.query(_BY_DAY, date=f"{day}")
        rows = _of_day(_BY_DAY, frames.bars(_BY_DAY, answer), day)
        if rows.is_empty() and day == clock.now().date():
            raise SourceUnavailable(
                f"baostock has no bars of {day} yet; it publishes them from about {PUBLISHED:%H:%M} on. "
                "Try again later."
            )
        self._valuation[day] = frames.valuation(_BY_DAY, answer)
        return rows

    def _by_symbol(self, days: Sequence[date], symbols: Sequence[str]) -> Iterator[pl.DataFrame]:
        window = {"start_date": f"{min(days)}", "end_date": f"{max(days)}", "frequency": "d", "adjustflag": frames.RAW}
        for first in range(0, len(symbols), BATCH):
            collected = [DAILY_BARS.empty()]
            with self._baostock.session() as session:
                for symbol in symbols[first : first + BATCH]:
                    answer = session.query(_BY_SYMBOL, code=_code(symbol), fields=frames.STOCK_FIELDS, **window)
                    collected.append(_of_symbol(frames.bars(_BY_SYMBOL, answer), symbol))
            rows = pl.concat(collected).filter(pl.col("date").is_in(days)).sort("date", "symbol")
            if rows.height:
                yield rows

    def _indices(self, start: date, end: date) -> pl.DataFrame:
        window = {"start_date": f"{start}", "end_date": f"{end}", "frequency": "d", "adjustflag": frames.RAW}
        collected = [INDEX_BARS.empty()]
        with self._baostock.session() as session:
            for symbol in INDICES:
                answer = session.query(_BY_SYMBOL, code=_code(symbol), fields=frames.INDEX_FIELDS, **window)
                collected.append(_of_symbol(frames.bars(_BY_SYMBOL, answer, INDEX_BARS), symbol))
        return pl.concat(collected).sort(INDEX_BARS.key)

    def _valuation_of(self, session: Session, day: date) -> pl.DataFrame:
        return _of_day(_BY_DAY, frames.valuation(_BY_DAY, session.query(_BY_DAY, date=f"{day}")), day)

    def _query(self, call: str, **arguments: str) -> Answer:
        with self._baostock.session() as session:
            return session.query(call, **arguments)

    def _not_offered(self, table: str) -> NotOffered:
        return NotOffered(f"baostock has no {table}; it has {', '.join(sorted(self.offers))}.")


def _factors_of(session: Session, day: date) -> pl.DataFrame:
    return _of_day(_FACTORS, frames.factors(_FACTORS, session.query(_FACTORS, date=f"{day}")), day)


def _funds_of(session: Session, day: date) -> pl.DataFrame:
    return _of_day(_FUNDS, frames.funds(_FUNDS, session.query(_FUNDS, date=f"{day}")), day)


def _of_day(call: str, rows: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the rows of an answer for one day.

    Raises:
        SourceChanged: The answer has rows of another day.
    """
    others = rows.filter(pl.col("date") != day)
    if others.height:
        example = f"{others['symbol'][0]} of {others['date'][0]}"
        raise frames.changed(call, f"the answer for {day} has {others.height:,} rows of other days, e.g. {example}")
    return rows


def _of_symbol(rows: pl.DataFrame, symbol: str) -> pl.DataFrame:
    others = rows.filter(pl.col("symbol") != symbol)
    if others.height:
        raise frames.changed(_BY_SYMBOL, f"the answer for {symbol} has rows of {others['symbol'][0]}")
    return rows


def _has(symbol: str) -> bool:
    return is_a_share(symbol) and exchange_of(symbol) != "BJ"


def _code(symbol: str) -> str:
    return f"{symbol[-2:].lower()}.{symbol[:6]}"


def _sessions(start: date, end: date) -> list[date]:
    days = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in days if shanghai().is_probable_session(day)[0]]
