"""The `tdx` source: bars of the whole market out of 通达信's files."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SettingsError
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.protocol import FlowKind, Progress, QuoteTable, StatementTable
from mystocks_dagster.sources.tdx import archive_path
from mystocks_dagster.sources.tdx.archive import Archive

_BARS = "daily_bars"


class TdxSource:
    """The bars of an archive; a table without a file is not offered."""

    name = "tdx"
    world = "real"
    has_history = True

    def __init__(self, settings: Settings) -> None:
        """Open the archive; its files are read when they are first needed.

        Raises:
            SettingsError: `MYSTOCKS_TDX` is not set, or names neither a folder nor a file.
        """
        path = archive_path(settings)
        if path is None:
            raise SettingsError(
                "The source 'tdx' needs files; set MYSTOCKS_TDX to a zip such as hsjday.zip or to vipdoc."
            )
        if not path.exists():
            raise SettingsError(f"MYSTOCKS_TDX is {path}, which does not exist; set it to a zip, or to a folder.")
        self._path = path

    @cached_property
    def archive(self) -> Archive:
        """The archive.

        Raises:
            SourceChanged: It is not a complete zip, or has no `.day` file.
        """
        return Archive(self._path)

    @property
    def offers(self) -> frozenset[str]:
        """The tables of which the archive has files."""
        return self.history_tables

    @property
    def history_tables(self) -> frozenset[str]:
        """The tables that `history` can yield."""
        return self.archive.tables & TABLES.keys()

    @property
    def faults(self) -> Mapping[str, str]:
        """By symbol, why a file was not read, or not to its end."""
        return self.archive.faults

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for users: files that are not read, and why."""
        return self.archive.notes

    def bar_days(self) -> tuple[date, date]:
        """Return the first and the last day of the archive.

        Raises:
            SourceChanged: The archive cannot be read.
        """
        return self.archive.days[0], self.archive.days[-1]

    def trading_days(self) -> list[date]:
        """Return the trading days that the archive states."""
        return self.archive.days

    def history(
        self, tables: Sequence[str], start: date, end: date, *, actions: pl.DataFrame | None, progress: Progress
    ) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the past by calendar year; see `HistorySource`."""
        yield from self.archive.history(tables, start, end, actions=actions, progress=progress)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the bars of `days`, one frame per calendar year; no corporate actions are in their `prev_close`."""
        if not days:
            return
        keep = pl.col("date").is_in(sorted(set(days)))
        keep = keep if symbols is None else keep & pl.col("symbol").is_in(list(symbols))
        for _, frame in self.history([_BARS], min(days), max(days), actions=None, progress=lambda *_: None):
            if (rows := frame.filter(keep)).height:
                yield rows

    def stocks(self, *, include_delisted: bool) -> NoReturn:
        """Raise `NotOffered`: the files hold no names."""
        raise self._lacks("stocks")

    def statements(self, table: StatementTable, periods: Sequence[date]) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(table)

    def corporate_actions(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks("corporate_actions")

    def quotes(self, table: QuoteTable) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(table)

    def longhubang(self, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks("longhubang")

    def capital_flow(self, kind: FlowKind, day: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(f"capital_flow_{kind}")

    def rows(self, table: str, start: date, end: date) -> NoReturn:
        """Raise `NotOffered`."""
        raise self._lacks(table)

    @staticmethod
    def _lacks(table: str) -> NotOffered:
        return NotOffered(f"tdx has no {table}.")
