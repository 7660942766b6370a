"""The `dumps` source: bars and corporate actions of ten years out of 同花顺's market dumps."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceNotSet
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import DATA_READY, shanghai
from mystocks_dagster.market.ex_right import with_previous_closes
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.dumps import HOST, KEY_VARIABLE, SOURCE, frames
from mystocks_dagster.sources.dumps.files import DumpFiles
from mystocks_dagster.sources.protocol import FlowKind, Progress, QuoteTable, StatementTable

BARS, RECENT_BARS, ACTIONS = "daily-k", "daily-k-10d", "adjustment-factors"
#: A symbol may have been suspended for so long before the first requested day.
_LONGEST = timedelta(days=730)
_CLOSES = {"symbol": pl.String, "date": pl.Date, "close": pl.Float64}


class DumpsSource:
    """The whole market's past of ten years, and its newest ten days; each file is downloaded once a day.

    Attributes:
        history_tables: The tables that `history` yields.
    """

    name = "dumps"
    world = "real"
    has_history = True
    offers = SOURCE.tables
    history_tables = frozenset({"daily_bars"})

    def __init__(self, settings: Settings) -> None:
        """Open the source without a request.

        Raises:
            SourceNotSet: The key is not set.
        """
        key = settings.source_key(self.name)
        if not key:
            raise SourceNotSet(f"The source 'dumps' needs a key; set {KEY_VARIABLE} to that of your account at {HOST}.")
        self._files = DumpFiles(settings, key)

    @property
    def requests(self) -> dict[str, dict[str, int]]:
        """Number of requests by upstream host."""
        return {HOST: {"here": self._files.requests}}

    def bar_days(self) -> tuple[date, date]:
        """Return the day ten years ago, from which on the dump has bars, and the latest closed session."""
        last = shanghai().probable_latest_closed(clock.now(), DATA_READY)[0]
        return last - timedelta(days=3652), last

    def trading_days(self) -> NoReturn:
        """Raise `NotOffered`: the days of the dump are those of its bars."""
        raise self._not_offered("trading days")

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield `daily_bars` by calendar year, out of the small dump if it has all of the days.

        Raises:
            SettingsError: The key is refused.
            SourceUnavailable: The dump is not ready yet, or the host does not answer.
            SourceChanged: The dump has another form.
        """
        days = sorted(set(days))
        if not days:
            return
        actions = frames.actions(self._files.path(ACTIONS), date.min, days[-1])
        wanted = pl.col("date").is_in(days)
        if symbols is not None:
            wanted &= pl.col("symbol").is_in(list(symbols))
        for _, frame in self._years(self._dump(days[0]), days[0], days[-1], actions):
            rows = frame.filter(wanted)
            if rows.height:
                yield rows

    def history(
        self, tables: Sequence[str], start: date, end: date, *, actions: pl.DataFrame | None, progress: Progress
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the bars by calendar year; arguments, order and errors as in `HistorySource.history`."""
        if "daily_bars" in tables:
            self._files.path(BARS, progress)
            yield from self._years(BARS, start, end, actions)

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the distributions with ex-dividend days from `start` to `end`; the day of publication is unknown."""
        return frames.actions(self._files.path(ACTIONS), start, end)

    def stocks(self, *, include_delisted: bool) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered("stocks")

    def statements(self, table: StatementTable, periods: Sequence[date]) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(table)

    def quotes(self, table: QuoteTable) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(table)

    def longhubang(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered("longhubang")

    def capital_flow(self, kind: FlowKind, day: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._not_offered(f"capital_flow_{kind}")

    def rows(self, table: str, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`: every table of this source has a method of its own."""
        raise self._not_offered(table)

    def _dump(self, first: date) -> str:
        """Return the small dump if it has the day `first` and one before it, which gives the previous close."""
        days = frames.days(self._files.path(RECENT_BARS)) if first >= clock.now().date() - timedelta(days=20) else []
        return RECENT_BARS if days and days[0] < first else BARS

    def _years(
        self, dump: str, start: date, end: date, actions: pl.DataFrame | None
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the bars of a dump; the closes before `start` are read too, for the first previous closes."""
        path = self._files.path(dump)
        earlier = frames.bars(path, start - _LONGEST, start - timedelta(days=1))
        last = frames.last_closes(earlier, pl.DataFrame(schema=_CLOSES))
        for year in range(start.year, end.year + 1):
            rows = frames.bars(path, max(start, date(year, 1, 1)), min(end, date(year, 12, 31)))
            if rows.height:
                yield "daily_bars", with_previous_closes(rows, actions, last=last)
                last = frames.last_closes(rows, last)

    def _not_offered(self, table: str) -> NotOffered:
        return NotOffered(f"dumps has no {table}; it has {', '.join(sorted(self.offers))}.")
