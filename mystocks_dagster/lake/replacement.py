"""Replace rows of a table that is written by trading day: new files for the changed months, in one Delta commit.

The files that are touched are read, the rows that stay are written with the new ones, and one commit exchanges the
files. delta-rs does the same with a predicate, but takes ten times as long and knows no months.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction, RemoveAction

from mystocks_dagster.lake.data_files import (
    WRITERS,
    DataFile,
    data_files,
    delete_files,
    read_file,
    removal,
    write_parts,
    write_whole,
)
from mystocks_dagster.lake.layout import date_column
from mystocks_dagster.market.table import Table

#: Rows of more symbols are sorted together with the others of their file.
_FEW_SYMBOLS = 50


class FileExchange(ABC):
    """New files in place of others of a table.

    Args:
        uri: The table's location.
        schema: Its contract.
    """

    def __init__(self, uri: str, schema: Table) -> None:
        self.uri, self.schema = uri, schema

    @abstractmethod
    def commit(self, opened: DeltaTable, watermarks: Mapping[str, int], metadata: Mapping[str, str]) -> None:
        """Commit the files to the version that is open; `metadata` is stored with the commit.

        Raises:
            CommitFailedError: Another commit came first, whatever it changed; open the newest version and try again.
        """


class MatchReplacement(FileExchange):
    """Replace the rows that match, in a table of few rows: those that stay are written with the new ones as one file.

    Args:
        uri: The table's location.
        schema: Its contract; the table is not partitioned.
        frame: The new rows.
        matching: Which stored rows they replace.
        before_commit: Called once the file is written; an error of it leaves the table as it was.
    """

    def __init__(
        self, uri: str, schema: Table, frame: pl.DataFrame, matching: pl.Expr, before_commit: Callable[[], object]
    ) -> None:
        super().__init__(uri, schema)
        self.frame, self.matching, self.before_commit = frame, matching, before_commit

    def commit(self, opened: DeltaTable, watermarks: Mapping[str, int], metadata: Mapping[str, str]) -> None:
        """Write the file and commit it to the version that is open; errors as in `FileExchange.commit`."""
        files = data_files(opened, self.schema)
        rows = pl.concat([*map(self._staying, files), self.frame])
        added = write_whole(self.uri, self.schema, rows)
        try:
            self.before_commit()
            commit_files(opened, [added], [removal(file) for file in files], watermarks, metadata)
        except BaseException:
            delete_files(self.uri, [added.path])
            raise

    def _staying(self, file: DataFile) -> pl.DataFrame:
        """Return the rows of a file that stay; where none does, only the columns that say so are read."""
        compared = read_file(self.uri, self.schema, file, [*dict.fromkeys(self.matching.meta.root_names())])
        if compared.select(self.matching.all()).item():
            return self.schema.empty()
        return read_file(self.uri, self.schema, file).filter(~self.matching)


class Replacement(FileExchange):
    """Rows that replace others; files that an attempt wrote are used by the next attempt if they still fit.

    Args:
        uri: The table's location.
        schema: Its contract; the table is partitioned.
        frame: The new rows.
    """

    def __init__(self, uri: str, schema: Table, frame: pl.DataFrame) -> None:
        super().__init__(uri, schema)
        self.frame = frame
        self._touched: tuple[str, ...] | None = None
        self._removed: list[DataFile] = []
        self._added: list[AddAction] = []

    @abstractmethod
    def touches(self, file: DataFile) -> bool:
        """Return whether the file may have rows that are replaced."""

    @abstractmethod
    def survivors(self, file: DataFile) -> pl.DataFrame | None:
        """Return the rows of a touched file that stay; None when it has no row that is replaced."""

    def commit(self, opened: DeltaTable, watermarks: Mapping[str, int], metadata: Mapping[str, str]) -> None:
        """Write the files and commit them to the version that is open; errors as in `FileExchange.commit`."""
        touched = [file for file in data_files(opened, self.schema) if self.touches(file)]
        paths = tuple(sorted(file.path for file in touched))
        if paths != self._touched:
            self._write(touched)
            self._touched = paths
        commit_files(opened, self._added, [removal(file) for file in self._removed], watermarks, metadata)

    def _write(self, touched: Sequence[DataFile]) -> None:
        self._removed, staying = [], []
        for file in touched:
            rows = self.survivors(file)
            if rows is not None:
                self._removed.append(file)
                staying.append(rows)
        frame = pl.concat([*staying, self.frame]) if staying else self.frame
        self._added = write_parts(self.uri, self.schema, frame)


class DaysReplacement(Replacement):
    """Replace the rows of some days, ascending."""

    def __init__(self, uri: str, schema: Table, frame: pl.DataFrame, days: Sequence[date]) -> None:
        super().__init__(uri, schema, frame)
        self.days = sorted(set(days))

    def touches(self, file: DataFile) -> bool:
        """Return whether one of the days lies between the file's first and last day."""
        if file.first is None or file.last is None:
            return any(day.year == file.year for day in self.days)
        return bisect_left(self.days, file.first) < bisect_right(self.days, file.last)

    def survivors(self, file: DataFile) -> pl.DataFrame | None:
        """Return the rows of other days."""
        return _unlike(self, file, lambda days: days.is_in(self.days))


class SpanReplacement(Replacement):
    """Replace the rows from one day to another; files that lie within are not read."""

    def __init__(self, uri: str, schema: Table, frame: pl.DataFrame, start: date, end: date) -> None:
        super().__init__(uri, schema, frame)
        self.start, self.end = start, end

    def touches(self, file: DataFile) -> bool:
        """Return whether the file's days overlap the span."""
        return self._first(file) <= self.end and self._last(file) >= self.start

    def survivors(self, file: DataFile) -> pl.DataFrame | None:
        """Return the rows of other days."""
        if self.start <= self._first(file) and self._last(file) <= self.end:
            return self.schema.empty()
        return _unlike(self, file, lambda days: days.is_between(self.start, self.end))

    @staticmethod
    def _first(file: DataFile) -> date:
        return file.first or date(file.year, 1, 1)

    @staticmethod
    def _last(file: DataFile) -> date:
        return file.last or date(file.year, 12, 31)


class KeysReplacement(DaysReplacement):
    """Replace the rows whose key is among the new ones."""

    def __init__(self, uri: str, schema: Table, frame: pl.DataFrame) -> None:
        super().__init__(uri, schema, frame, frame[date_column(schema)].unique().to_list())

    def survivors(self, file: DataFile) -> pl.DataFrame | None:
        """Return the rows with another key; a file without a day of the new rows is left alone."""
        rows = _unlike(self, file, lambda days: days.is_in(self.days), keep_all=True)
        if rows is None:
            return None
        return rows.join(self.frame, on=self.schema.key, how="anti", maintain_order="left")


class StretchReplacement(Replacement):
    """Replace the rows from one day on, and those of some symbols from an earlier day on.

    Args:
        since: The first day that is replaced for all symbols.
        symbols: An earlier first day by the code that is stored.
    """

    def __init__(self, uri: str, schema: Table, frame: pl.DataFrame, since: date, symbols: Mapping[str, date]) -> None:
        super().__init__(uri, schema, frame)
        self.since, self.symbols = since, {code: day for code, day in symbols.items() if day < since}
        self.first = min([since, *self.symbols.values()])

    def touches(self, file: DataFile) -> bool:
        """Return whether the file has a day that may be replaced."""
        return file.last is None or file.last >= self.first

    def survivors(self, file: DataFile) -> pl.DataFrame | None:
        """Return the rows of earlier days."""
        column = date_column(self.schema)
        keys = read_file(self.uri, self.schema, file, ["symbol", column])
        since = keys["symbol"].replace_strict(self.symbols, default=self.since, return_dtype=pl.Date)
        replaced = keys[column] >= since
        if not replaced.any():
            return None
        return self.schema.empty() if replaced.all() else read_file(self.uri, self.schema, file).filter(~replaced)

    def _write(self, touched: Sequence[DataFile]) -> None:
        """Write month by month, several at a time: a change of long ago touches the files of all months since."""
        self._removed, self._added = [], []
        days = self.frame[date_column(self.schema)]
        groups = _by_month(touched)
        split = [*{year for year, month in groups if month}]
        month = pl.when(days.dt.year().is_in(split)).then(days.dt.month().cast(pl.Int32)).otherwise(0)
        months = pl.select(year=days.dt.year(), month=month)
        keys = [*dict.fromkeys([*groups, *months.unique().iter_rows()])]

        def write(key: tuple[int, int]) -> None:
            new = self.frame.filter((months["year"] == key[0]) & (months["month"] == key[1]))
            staying = []
            for file in groups.get(key, ()):
                rows = self.survivors(file)
                if rows is not None:
                    self._removed.append(file)
                    staying.append(rows)
            rows = _inserted(staying[0], new) if len(staying) == 1 else pl.concat([*staying, new])
            self._added += write_parts(self.uri, self.schema, rows)

        try:
            with ThreadPoolExecutor(WRITERS) as pool:
                list(pool.map(write, keys))
        except BaseException:
            delete_files(self.uri, [action.path for action in self._added])
            raise


def _inserted(rows: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a file, and after those of each symbol its new ones: of few symbols, nothing is sorted."""
    symbols = new["symbol"].unique().sort()
    if len(symbols) > _FEW_SYMBOLS:
        return pl.concat([rows, new])
    parts, start = [], 0
    for symbol in symbols:
        end = max(start, int(rows["symbol"].search_sorted(symbol, side="right")))
        parts += [rows[start:end], new.filter(symbol=symbol)]
        start = end
    return pl.concat([*parts, rows[start:]])


def _by_month(files: Sequence[DataFile]) -> dict[tuple[int, int], list[DataFile]]:
    """Return files by year and month; of a year of which one file has several months, all have the month 0."""
    spans = {file: {day.month if day else 0 for day in (file.first, file.last)} for file in files}
    years = {file.year for file, months in spans.items() if len(months) > 1 or 0 in months}
    groups: dict[tuple[int, int], list[DataFile]] = {}
    for file, months in spans.items():
        groups.setdefault((file.year, 0 if file.year in years else min(months)), []).append(file)
    return groups


def commit_files(
    opened: DeltaTable,
    added: Sequence[AddAction],
    removed: Sequence[RemoveAction],
    watermarks: Mapping[str, int],
    metadata: Mapping[str, object] | None = None,
) -> None:
    """Exchange files in one commit, which fails if the open version is no longer the newest.

    Delta-rs compares concurrent commits by the predicate that a write declares, which such a commit cannot do. So it
    may not be retried on another version: a row that another commit added meanwhile would stay beside ours.
    """
    counts = {"num_added_files": len(added), "num_removed_files": len(removed)}
    transactions = [Transaction(name, number) for name, number in watermarks.items()]
    opened.create_write_transaction(
        [*added, *removed],
        mode="append",
        schema=opened.schema(),
        partition_by=opened.metadata().partition_columns,
        commit_properties=CommitProperties(
            max_commit_retries=0,
            app_transactions=transactions,
            # The counts show when a commit in the log is truncated, see `lake.damage`.
            custom_metadata={"operationMetrics": counts, **(metadata or {})},
        ),
    )


def _unlike(
    replacement: Replacement, file: DataFile, matches: Callable[[pl.Series], pl.Series], *, keep_all: bool = False
) -> pl.DataFrame | None:
    """Return the rows of a file whose day does not match; None when no day matches."""
    column = date_column(replacement.schema)
    matching = matches(read_file(replacement.uri, replacement.schema, file, [column])[column])
    if not matching.any():
        return None
    if not keep_all and matching.all():
        return replacement.schema.empty()
    rows = read_file(replacement.uri, replacement.schema, file)
    return rows if keep_all else rows.filter(~matching)
