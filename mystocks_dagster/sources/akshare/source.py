"""The `akshare` source: live market data through akshare's own functions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import normalise_expr
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.flows import LONGHUBANG
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.value_rules import Fault
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.akshare import SOURCE, columns, tables
from mystocks_dagster.sources.akshare.call import Call
from mystocks_dagster.sources.akshare.client import AkshareClient
from mystocks_dagster.sources.akshare.contradictions import OF_BARS, OF_ETFS, OF_QUOTES, contradictions
from mystocks_dagster.sources.akshare.history import PriceStream, history_bars
from mystocks_dagster.sources.akshare.identity import check_identity, check_values
from mystocks_dagster.sources.akshare.session import (
    check_begun,
    check_one_session,
    check_readable,
    check_session,
    latest_session,
    newest_day,
)
from mystocks_dagster.sources.protocol import FlowKind, QuoteTable, StatementTable
from mystocks_dagster.sources.transport import EmptyResponse
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

if TYPE_CHECKING:
    import pandas as pd

_BOARDS = {"sector": "行业资金流", "concept": "概念资金流"}
#: The longest time from the end of a report period to the ex-dividend day of its distribution.
_DISTRIBUTED = timedelta(days=366)


class AkshareSource:
    """East Money's lists and reports, Sina's histories and the exchanges' stock lists, through akshare.

    For the whole market only the bars of the latest closed session are available (a snapshot after the close). Past
    bars are fetched symbol by symbol. See `docs/akshare.md`.
    """

    name = "akshare"
    world = "real"
    has_history = False
    offers = SOURCE.tables

    def __init__(self, settings: Settings) -> None:
        """Open the source without a request."""
        self._akshare = AkshareClient(settings)
        self._faults: dict[str, list[Fault]] = {}

    def take_faults(self, table: str) -> list[Fault]:
        """Return the rows that this source has set aside itself since the last call."""
        return self._faults.pop(table, [])

    @property
    def requests(self) -> dict[str, dict[str, int]]:
        """Number of requests by upstream host: those of this source, and those of all processes today."""
        return {host: {"here": count, "today": self._akshare.today[host]} for host, count in self._akshare.sent.items()}

    def bar_days(self) -> tuple[date, date]:
        """Return the latest closed session twice: for the whole market no other day is available."""
        session = self._latest_session()
        return session, session

    def trading_days(self) -> list[date]:
        """Return Sina's list of trading days, from 1990 to the end of the last announced year."""
        return sorted(self._akshare.frame(columns.TRADING_DAYS)[0]["date"].to_list())

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield `daily_bars`: any day for given symbols, the latest closed session for the whole market.

        Raises:
            SourceUnavailable: The latest closed session is requested while the lists show another one.
        """
        session = self._latest_session()
        past: list[date] = []
        if symbols is not None:
            # Sina has a session only late in its evening; from the next day on its history replaces the snapshot.
            past = [day for day in days if day < session or clock.now().date() > session]
            bars = pl.concat([DAILY_BARS.empty(), *(self._history(symbol) for symbol in symbols if past)])
            bars = bars.filter(pl.col("date").is_in(past)).sort("date", "symbol")
            if bars.height:
                yield bars
        if session in days and session not in past:
            frame = self._snapshot(session)
            yield frame if symbols is None else frame.filter(pl.col("symbol").is_in(list(symbols)))

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the stock list; Beijing publishes no list of delisted stocks.

        With delisted stocks all exchanges are asked, otherwise Shanghai and Shenzhen, and East Money for Beijing, which
        takes a tenth of the requests. There, a stock without its plain name today is left out.
        """
        if not include_delisted:
            listed = self._listed
            return tables.stocks(listed.filter(~tables.marked(listed)), None, _now())
        delisted = self._lists(columns.SH_DELISTED, columns.SZ_DELISTED)
        listed = pl.concat([self._two_exchanges, self._lists(columns.BJ_STOCKS)], how="diagonal")
        return tables.stocks(listed, delisted, _now())

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the statements of `periods` for the stocks of Shanghai and Shenzhen."""
        call = columns.STATEMENTS[table]
        frames = [TABLES[table].empty()]
        for period in periods:
            try:
                frame, _ = self._akshare.frame(call, date=f"{period:%Y%m%d}")
            except EmptyResponse:
                continue
            frames.append(tables.statements(table, frame, period))
        return pl.concat(frames)

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the dividends and bonus shares with ex-dividend days from `start` to `end`, without rights issues.

        The distribution of a report period follows within a year of its end; a period takes one to twelve requests.
        """
        frames = []
        for period in tables.quarter_ends(start - _DISTRIBUTED, end):
            try:
                frame, _ = self._akshare.frame(columns.CORPORATE_ACTIONS, date=f"{period:%Y%m%d}")
            except EmptyResponse:
                continue
            frames.append(frame)
        if not frames:
            return TABLES["corporate_actions"].empty()
        return tables.corporate_actions(pl.concat(frames)).filter(pl.col("ex_date").is_between(start, end))

    def quotes(self, table: QuoteTable) -> pl.DataFrame:
        """Return the current market snapshot: today's session, or before it begins the last one.

        Raises:
            SourceUnavailable: The lists show an earlier session.
        """
        if table == "etf_quotes":
            return self._etf_quotes(_now())
        day = self._akshare.newest_day()
        check_begun(day)
        spot = self._akshare.frame(columns.STOCK_SPOT)[0]
        check_values(spot)
        moment = _now()
        quotes = tables.stock_quotes(spot, day, moment)
        return self._without_contradictions(
            table, quotes, contradictions(columns.STOCK_SPOT, spot, OF_QUOTES, day, moment)
        )

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the 龙虎榜 rows from `start` to `end`; those of a day are published in its evening."""
        try:
            frame, _ = self._akshare.frame(columns.LONGHUBANG, start_date=f"{start:%Y%m%d}", end_date=f"{end:%Y%m%d}")
        except EmptyResponse:
            return LONGHUBANG.empty()
        return tables.longhubang(frame).filter(pl.col("date").is_between(start, end))

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the capital flow of the latest closed session.

        Raises:
            NotOffered: `day` is another day.
            SourceUnavailable: East Money's lists show another session now.
        """
        session = self._latest_session()
        if day != session:
            raise NotOffered(
                f"akshare has the capital flow of the latest closed session ({session}) only, not of {day}."
            )
        check_readable(day)
        if kind == "stock":
            frame, responses = self._akshare.frame(columns.STOCK_FLOW, indicator="今日")
        else:
            frame, responses = self._akshare.frame(columns.BOARD_FLOW, indicator="今日", sector_type=_BOARDS[kind])
        check_session(day, newest_day(columns.STOCK_FLOW, responses))
        check_one_session(columns.STOCK_FLOW, responses, "f62")
        return tables.capital_flow(kind, frame, day)

    def rows(self, table: str, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`: every table of this source has a method of its own."""
        raise NotOffered(f"akshare has no {table} in this version.")

    def call(self, function: str, arguments: Mapping[str, Any]) -> tuple["pd.DataFrame", list[UpstreamResponse]]:
        """Call a function of akshare for a dataset file; return its result as it is, and the upstream's responses.

        Raises:
            EmptyResponse: The upstream has no rows.
            SourceUnavailable, SourceChanged: Raised by the shim, or akshare cannot read the response.
        """
        return self._akshare.result(function, arguments)

    def check_shown(self, session: date) -> None:
        """Check that East Money's lists, which have no date, show the closed session `session`.

        Raises:
            SourceUnavailable: They show another session, or one that is not closed.
        """
        check_readable(session)
        check_session(session, self._shown_session)

    def _latest_session(self) -> date:
        return latest_session(lambda: self._shown_session)

    @cached_property
    def _shown_session(self) -> date:
        """The session that the lists show, requested once: a source object lives for one attempt of a task."""
        return self._akshare.newest_day()

    @cached_property
    def _listed(self) -> pl.DataFrame:
        """The listed stocks with the least requests."""
        try:
            beijing = self._akshare.beijing()
        except SourceUnavailable:
            beijing = self._lists(columns.BJ_STOCKS)
        return pl.concat([self._two_exchanges, beijing], how="diagonal")

    @cached_property
    def _two_exchanges(self) -> pl.DataFrame:
        """The listed stocks of Shanghai and Shenzhen, as their exchanges list them."""
        shanghai_lists = [self._akshare.frame(columns.SH_STOCKS, symbol=board)[0] for board in ("主板A股", "科创板")]
        return pl.concat([*shanghai_lists, self._lists(columns.SZ_STOCKS)], how="diagonal")

    def _lists(self, *calls: Call) -> pl.DataFrame:
        return pl.concat([self._akshare.frame(call)[0] for call in calls])

    def _snapshot(self, session: date) -> pl.DataFrame:
        """Return the session's bars of the whole market, from the lists after its close."""
        check_readable(session)
        check_session(session, self._akshare.newest_day())
        already_listed = pl.col("list_date").is_null() | (pl.col("list_date") <= session)
        listed = tables.stocks(self._listed, None, _now()).filter(already_listed)["symbol"].to_list()
        spot = self._akshare.frame(columns.STOCK_SPOT)[0]
        bars = tables.daily_bars(spot, session, listed)
        if bars["suspended"].sum() * 2 > bars.height:
            raise SourceUnavailable(
                "push2delay.eastmoney.com shows most stocks without a price: its lists are being reset. "
                "Try again later."
            )
        check_identity(spot, self._listed)
        ours = spot.filter(normalise_expr("code").is_in(listed))
        return self._without_contradictions(
            "daily_bars", bars, contradictions(columns.STOCK_SPOT, ours, OF_BARS, session)
        )

    def _etf_quotes(self, moment: datetime) -> pl.DataFrame:
        spot = self._akshare.frame(columns.ETF_SPOT)[0]
        etfs = tables.etf_quotes(spot, moment)
        if etfs.is_empty():
            return etfs
        day = etfs["date"][0]
        check_begun(day)
        wrong = contradictions(columns.ETF_SPOT, spot.filter(pl.col("date") == day), OF_ETFS, day, moment)
        return self._without_contradictions("etf_quotes", etfs, wrong)

    def _without_contradictions(self, table: str, frame: pl.DataFrame, wrong: list[Fault]) -> pl.DataFrame:
        """Return the frame without the rows of the faults, which are kept as set aside."""
        self._faults[table] = wrong
        return frame.filter(~pl.col("symbol").is_in([fault.row["symbol"] for fault in wrong]))

    def _history(self, symbol: str) -> pl.DataFrame:
        try:
            daily, responses = self._akshare.frame(
                columns.SINA_DAILY, symbol=f"{symbol[-2:].lower()}{symbol[:6]}", adjust=""
            )
        except EmptyResponse:
            return DAILY_BARS.empty()
        stream = PriceStream.of(self._akshare.decoded_prices(responses))
        sessions = shanghai().sessions(stream.days[0], min(stream.days[-1], shanghai().last))
        return history_bars(symbol, daily, stream, sessions)


def _now() -> datetime:
    return clock.now().replace(microsecond=0)
