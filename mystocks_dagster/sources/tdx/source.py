"""The `tdx` source: bars of the whole market, corporate actions and trading days out of 通达信's files."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SourceChanged
from mystocks_dagster.market import clock
from mystocks_dagster.market.actions import combined
from mystocks_dagster.market.calendar import DATA_READY, shanghai
from mystocks_dagster.market.ex_right import FUNDS, SHARES, with_previous_closes
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import FlowKind, Progress, QuoteTable, StatementTable
from mystocks_dagster.sources.tdx import SOURCE, archive_path, gbbq, holidays
from mystocks_dagster.sources.tdx.archive import Archive
from mystocks_dagster.sources.tdx.day_zip import day_bars
from mystocks_dagster.sources.tdx.files import files_of

BARS = ("daily_bars", "index_bars", "etf_bars")
_ACTIONS = "corporate_actions"
_FIRST = date(1990, 12, 19)
#: So many newest sessions are read from daily zips; for older ones, the archive is downloaded.
RECENT = 10
#: A downloaded archive that ends so long ago is downloaded again: one request in place of many for the days since.
STALE = timedelta(days=60)


def _silent(*_: object) -> None:
    """Report no progress."""


class TdxSource:
    """The whole market's past out of one archive, and each later day out of a zip of its own."""

    name = "tdx"
    world = "real"
    has_history = True

    def __init__(self, settings: Settings) -> None:
        """Open the source; files are read, or downloaded, when they are first needed.

        Raises:
            SettingsError: `MYSTOCKS_TDX` names neither a folder nor a file.
        """
        self._own = archive_path(settings)
        self._files = files_of(settings, self._own)
        self._missing: list[date] = []
        self._archive: Archive | None = None

    @cached_property
    def offers(self) -> frozenset[str]:
        """The tables of which there are files.

        Raises:
            SourceChanged: The user's archive is not a complete zip, or has no `.day` file.
        """
        if self._own is None:
            return SOURCE.tables
        own = self._opened().tables & frozenset(BARS)
        return own | {_ACTIONS} if self._files.actions() is not None else own

    @property
    def history_tables(self) -> frozenset[str]:
        """The tables that `history` can yield."""
        return self.offers - {_ACTIONS}

    @property
    def faults(self) -> Mapping[str, str]:
        """By symbol, why a file was not read, or not to its end."""
        return self._archive.faults if self._archive else {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for users: files that are not read, and days that are not there yet."""
        days = ", ".join(map(str, self._missing))
        absent = (f"通达信 has no file of {days} (yet); it appears after the close.",) if days else ()
        return (*(self._archive.notes if self._archive else ()), *absent)

    def bar_days(self) -> tuple[date, date]:
        """Return the first and last day: those of the user's files, or 1990 and the latest closed session.

        Raises:
            SourceChanged: The archive cannot be read.
        """
        latest = shanghai().probable_latest_closed(clock.now(), DATA_READY)[0]
        if self._own is None:
            return _FIRST, latest
        days = self._opened().days
        return days[0], latest if days[-1] < latest and self._files.day(latest) else days[-1]

    def trading_days(self) -> list[date]:
        """Return the trading days that follow from 通达信's list of holidays, or else those of the archive.

        Raises:
            SourceUnavailable: The host does not answer.
            SourceChanged: The list has another form.
        """
        content = self._files.holidays()
        return holidays.trading_days(content) if content is not None else self._opened().days

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the distributions and splits with ex-dividend days from `start` to `end`.

        Raises:
            NotOffered: The user's files have no `gbbq`.
            SourceUnavailable: The host does not answer.
            SourceChanged: The file is damaged.
        """
        if self._actions is None:
            raise NotOffered(f"{self._own} has no corporate actions; put gbbq, or gbbq.zip, beside the archive.")
        return self._actions.filter(pl.col("ex_date").is_between(start, end))

    def history(
        self, tables: Sequence[str], start: date, end: date, *, actions: pl.DataFrame | None, progress: Progress
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the past by calendar year, the days after the archive's last one out of daily zips.

        Arguments, order and errors as in `HistorySource.history`.
        """
        archive = self._opened(progress)
        known = None if actions is None else combined(actions)
        later: dict[tuple[int, str], list[pl.DataFrame]] = {}
        if (last := archive.days[-1]) < end:
            for table in tables:
                for day, frame in self._after(archive, table, last, end, known):
                    later.setdefault((day.year, table), []).append(frame)
        with self._damaged():
            for table, frame in archive.history(tables, start, end, actions=known, progress=progress):
                year = frame["date"][0].year
                for key in sorted(key for key in later if key < (year, table) and key[0] < year):
                    yield key[1], pl.concat(later.pop(key)).sort("symbol", "date")
                days = later.pop((year, table), [])
                yield table, pl.concat([frame, *days]).sort("symbol", "date") if days else frame
        for key in sorted(later, key=lambda key: (key[0], list(tables).index(key[1]))):
            rows = pl.concat(later[key]).filter(pl.col("date") >= start).sort("symbol", "date")
            if rows.height:
                yield key[1], rows

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the bars of `days`; a day without a file, such as today's before it is published, has no frame."""
        yield from self._bars("daily_bars", days, symbols)

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the rows of `index_bars` or `etf_bars` from `start` to `end`.

        Raises:
            NotOffered: It is another table.
        """
        if table not in self.history_tables:
            raise self._lacks(table)
        calendar = shanghai()
        days = calendar.sessions(max(start, calendar.first), min(end, self.bar_days()[1], calendar.last))
        return pl.concat([TABLES[table].empty(), *self._bars(table, days, None)])

    def stocks(self, *, include_delisted: bool) -> NoReturn:
        """Raise `NotOffered`: the files hold codes and no names."""
        raise self._lacks("stocks")

    def statements(self, table: StatementTable, periods: Sequence[date]) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(table)

    def quotes(self, table: QuoteTable) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(table)

    def longhubang(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks("longhubang")

    def capital_flow(self, kind: FlowKind, day: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(f"capital_flow_{kind}")

    # ---- inside

    @cached_property
    def _actions(self) -> pl.DataFrame | None:
        content = self._files.actions()
        return None if content is None else gbbq.actions(content)

    def _opened(self, progress: Progress = _silent) -> Archive:
        if self._archive is None:
            stored = self._files.stored_archive()
            archive = self._read(self._files.archive(progress))
            if self._own is None and stored and clock.now().date() - archive.days[-1] > STALE:
                self._files.discard(stored)
                archive = self._read(self._files.archive(progress))
            self._archive = archive
        return self._archive

    def _read(self, path: Path) -> Archive:
        try:
            return Archive(path)
        except SourceChanged as error:
            raise SourceChanged(f"{error} {self._files.discard(path)}") from error

    def _bars(self, table: str, days: Sequence[date], symbols: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        if not days:
            return
        keep = pl.col("date").is_in(sorted(set(days)))
        keep = keep if symbols is None else keep & pl.col("symbol").is_in(list(symbols))
        if self._files.stored_archive() is None and min(days) >= (first := self._recent()[0]):
            pairs = (frame for _, frame in self._zips(table, first, max(days), self._actions, None))
        else:
            span = min(days), max(days)
            past = self.history([table], *span, actions=self._actions, progress=_silent)
            pairs = (frame for _, frame in past)
        for frame in pairs:
            if (rows := frame.filter(keep)).height:
                yield rows

    def _recent(self) -> list[date]:
        calendar = shanghai()
        latest = calendar.probable_latest_closed(clock.now(), DATA_READY)[0]
        days = [latest]
        while len(days) < RECENT:
            days.insert(0, calendar.previous(days[0]))
        return days

    def _after(
        self, archive: Archive, table: str, last: date, end: date, actions: pl.DataFrame | None
    ) -> Iterator[tuple[date, pl.DataFrame]]:
        """Yield the days after the archive's last one."""
        with self._damaged():
            closes = archive.last_closes(table)
        yield from self._zips(table, last + timedelta(days=1), end, actions, closes)

    def _zips(
        self, table: str, start: date, end: date, actions: pl.DataFrame | None, closes: pl.DataFrame | None
    ) -> Iterator[tuple[date, pl.DataFrame]]:
        """Yield the bars of each day out of its zip, with previous closes out of the days before and `closes`."""
        calendar = shanghai()
        scale = FUNDS if table == "etf_bars" else SHARES
        for day in calendar.sessions(start, min(end, calendar.last)):
            path = self._files.day(day)
            if path is None:
                self._missing = sorted({*self._missing, day})
                continue
            try:
                bars = day_bars(path, day).get(table)
            except SourceChanged as error:
                raise SourceChanged(f"{error} {self._files.discard(path)}") from error
            if bars is None:
                continue
            bars = with_previous_closes(bars, actions, scale=scale, last=closes).with_columns(
                suspended=pl.lit(value=False)
            )
            yield day, TABLES[table].typed(bars)
            seen = bars.select("symbol", "date", "close")
            closes = (
                seen if closes is None else pl.concat([closes, seen]).unique("symbol", keep="last", maintain_order=True)
            )

    @contextmanager
    def _damaged(self) -> Generator[None]:
        """Add the remedy for a downloaded archive to the error about a damaged one."""
        try:
            yield
        except SourceChanged as error:
            archive, self._archive = self._archive, None
            if archive is None:
                raise
            raise SourceChanged(f"{error} {self._files.discard(archive.path)}") from error

    @staticmethod
    def _lacks(table: str) -> NotOffered:
        return NotOffered(f"tdx has no {table}; it has {', '.join((*BARS, _ACTIONS))}.")
