"""The `recorded` source: an archive of Parquet and CSV files in a folder; its layout is in `docs/sources.md`."""

import logging
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import NoReturn

import polars as pl

from mystocks_dagster.errors import NotOffered, SettingsError, SourceNotSet
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import published, shanghai
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of
from mystocks_dagster.settings import TRADING_CALENDAR, Settings
from mystocks_dagster.sources.checked import drop_duplicates
from mystocks_dagster.sources.protocol import FlowKind, QuoteTable, StatementTable
from mystocks_dagster.sources.recorded import archive_folder
from mystocks_dagster.sources.recorded.archive_files import SUFFIXES, RecordedFile, recognise
from mystocks_dagster.sources.recorded.span import Span
from mystocks_dagster.trading_calendar.day_file import read_days

_logger = logging.getLogger(__name__)


class RecordedSource:
    """The data of an archive's files; a table without a file is not offered."""

    name = "recorded"
    world = "real"
    has_history = True

    def __init__(self, settings: Settings) -> None:
        """Open the archive; its files are scanned when they are first needed.

        Raises:
            SourceNotSet: `MYSTOCKS_RECORDED` is not set.
            SettingsError: It is not a folder.
        """
        folder = archive_folder(settings)
        if folder is None:
            raise SourceNotSet("The source 'recorded' needs a folder; set MYSTOCKS_RECORDED to that of your archive.")
        if not folder.is_dir():
            raise SettingsError(
                f"MYSTOCKS_RECORDED is {folder}, which is not a folder; set it to that of your archive."
            )
        self._folder = folder
        self._ignored: list[str] = []

    @cached_property
    def offers(self) -> frozenset[str]:
        """The tables that the archive has files of."""
        return frozenset(self._files)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user: files and rows of the archive that are not read, and why."""
        more = f" and {len(self._ignored) - 3} more" if len(self._ignored) > 3 else ""
        notes = [f"Not read from the archive: {'; '.join(self._ignored[:3])}{more}."] if self._ignored else []
        spans = self._all_spans if "daily_bars" in self._files else []
        today, opening = clock.now().date(), published().first
        late = [f"{file.path.name} up to {span.latest}" for file, span in spans if span.latest > today]
        early = [f"{file.path.name} from {span.earliest}" for file, span in spans if span.earliest < opening]
        if late:
            notes.append(f"Bars of future days are not read: {abbreviate(late)}.")
        if early:
            notes.append(f"Bars of days before {opening}, when trading began, are not read: {abbreviate(early)}.")
        return tuple(notes)

    def bar_days(self) -> tuple[date, date]:
        """Return the first and the last day of the archive's bars within the first session of the exchanges and today.

        Raises:
            NotOffered: The archive has no bars.
            SourceChanged: A file cannot be read.
        """
        self._require("daily_bars")
        if not self._spans:
            span = f"{published().first} to {clock.now().date()}"
            raise NotOffered(f"The archive in {self._folder} has files of daily_bars, but without rows of {span}.")
        return min(first for _, first, _ in self._spans), max(last for _, _, last in self._spans)

    def trading_days(self) -> list[date]:
        """Return the trading days that the archive's `trading_calendar.csv` states.

        Raises:
            NotOffered: The archive has no such file.
            SettingsError: A line of the file is invalid.
        """
        file = self._folder / TRADING_CALENDAR
        if not file.is_file():
            raise NotOffered(f"The archive in {self._folder} states no trading days: it has no {TRADING_CALENDAR}.")
        return sorted(read_days(file).days)

    def daily_bars(self, days: Sequence[date], symbols: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the bars of `days` by day and symbol, one frame per calendar year, with rows for suspended days.

        Raises:
            NotOffered: The archive has no bars.
            SourceChanged: A file cannot be read, or two files contradict each other.
        """
        self._require("daily_bars")
        for _, group in groupby(sorted(set(days)), key=lambda day: day.year):
            year = list(group)
            files = [file for file, first, last in self._spans if first <= year[-1] and last >= year[0]]
            # Rows of days without trading are returned too, so that they are set aside visibly.
            between = pl.col("date").is_between(year[0], year[-1])
            keep = pl.col("date").is_in(year) | (between & ~pl.col("date").is_in(_sessions(year[0], year[-1])))
            if symbols is not None:
                keep &= pl.col("symbol").is_in(list(symbols))
            frame = self._rows("daily_bars", keep, files)
            if frame.height:
                yield frame.sort("date", "symbol")

    def stocks(self, *, include_delisted: bool) -> pl.DataFrame:
        """Return the archive's stock list."""
        listed = pl.col("delist_date").is_null() | (pl.col("delist_date") >= clock.now().date())
        return self._rows("stocks", pl.lit(True) if include_delisted else listed).sort("symbol")

    def statements(self, table: StatementTable, periods: Sequence[date]) -> pl.DataFrame:
        """Return the archive's statements of `periods` that are published by now, with all their versions."""
        published = pl.col("notice_date").is_null() | (pl.col("notice_date") <= clock.now().date())
        rows = self._read(table, pl.col("period").is_in(list(periods)) & published)
        # An archive made from a lake states since when a version has been known; any other only its notice.
        rows = rows.with_columns(pl.coalesce("known_since", "notice_date").alias("known_since"))
        return self._without_duplicates(table, rows).sort(table_of(table).key)

    def corporate_actions(self, start: date, end: date) -> pl.DataFrame:
        """Return the archive's distributions that are published by now."""
        published = pl.col("known_since").is_null() | (pl.col("known_since") <= clock.now().date())
        keep = pl.col("ex_date").is_between(start, end) & published
        return self._rows("corporate_actions", keep).sort("ex_date", "symbol")

    def quotes(self, table: QuoteTable) -> NoReturn:
        """Raise `NotOffered`: an archive has no current snapshot."""
        raise NotOffered(
            f"An archive has no {table}, which are snapshots of the present moment; use another data_source for them."
        )

    def longhubang(self, start: date, end: date) -> pl.DataFrame:
        """Return the archive's rows from `start` to `end`, both included."""
        return self._rows("longhubang", pl.col("date").is_between(start, end)).sort("date", "symbol", "reason")

    def capital_flow(self, kind: FlowKind, day: date) -> pl.DataFrame:
        """Return the archive's capital flow of `day`."""
        return self._rows(f"capital_flow_{kind}", pl.col("date") == day)

    def rows(self, table: str, start: date, end: date) -> pl.DataFrame:
        """Return the archive's rows from `start` to `end`, both included, in order of their key."""
        schema = table_of(table)
        keep = pl.col(schema.date_column).is_between(start, end) if schema.date_column else pl.lit(value=True)
        return self._rows(table, keep).sort(schema.key)

    @cached_property
    def _files(self) -> dict[str, list[RecordedFile]]:
        """The archive's files by table."""
        files: dict[str, list[RecordedFile]] = {}
        ignored: list[str] = []
        for path in self._paths():
            match recognise(path, self._folder):
                case RecordedFile() as file:
                    files.setdefault(file.table.name, []).append(file)
                case reason:
                    ignored.append(f"{path.relative_to(self._folder)}: {reason}")
        for line in ignored:
            _logger.debug("Not read from the archive: %s.", line)
        self._ignored = ignored
        if not files:
            example = f" (files checked: {len(ignored)}; the first is {ignored[0]})" if ignored else ""
            raise SettingsError(
                f"No file in {self._folder} (MYSTOCKS_RECORDED) has market data in a known layout{example}. "
                "See docs/sources.md."
            )
        return files

    def _paths(self) -> list[Path]:
        calendar = self._folder / TRADING_CALENDAR
        try:
            paths = (path for path in self._folder.rglob("*") if path.name.lower().endswith(SUFFIXES))
            return sorted(path for path in paths if path != calendar and path.is_file())
        except OSError as error:
            raise SettingsError(
                f"MYSTOCKS_RECORDED is {self._folder}, which cannot be read: {error.strerror}."
            ) from error

    @cached_property
    def _all_spans(self) -> list[tuple[RecordedFile, Span]]:
        """The files of bars that have rows, with their range of days."""
        spans = [(file, file.span("date", published().first, clock.now().date())) for file in self._files["daily_bars"]]
        return [(file, span) for file, span in spans if span]

    @property
    def _spans(self) -> list[tuple[RecordedFile, date, date]]:
        """The files of bars with their first and last valid day."""
        return [(file, span.first, span.last) for file, span in self._all_spans if span.first and span.last]

    def _require(self, table: str) -> None:
        if table not in self.offers:
            tables = ", ".join(sorted(self.offers))
            raise NotOffered(f"The archive in {self._folder} has no {table}; it has {tables}.")

    def _rows(self, table: str, keep: pl.Expr, files: list[RecordedFile] | None = None) -> pl.DataFrame:
        """Return the rows of a table from its files without duplicates."""
        return self._without_duplicates(table, self._read(table, keep, files))

    def _read(self, table: str, keep: pl.Expr, files: list[RecordedFile] | None = None) -> pl.DataFrame:
        self._require(table)
        frames = [file.read(keep) for file in (self._files[table] if files is None else files)]
        return pl.concat([TABLES[table].empty(), *frames])

    def _without_duplicates(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        return drop_duplicates(table, rows, f"The archive in {self._folder}")


def _sessions(first: date, last: date) -> list[date]:
    """Return the trading days from `first` to `last`, as far as they are known."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if shanghai().is_probable_session(day)[0]]
