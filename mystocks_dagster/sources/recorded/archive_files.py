"""Files of an archive: the table and layout of each, and the conversion to the table's columns."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import polars as pl
from polars.exceptions import DuplicateError

from mystocks_dagster.errors import InvalidParams, SourceChanged
from mystocks_dagster.market.symbols import normalise, normalise_expr
from mystocks_dagster.market.table import MOMENT, Column, Table
from mystocks_dagster.market.tables import BUILT_IN, TABLES
from mystocks_dagster.sources.csv_text import check_lines, separator_of
from mystocks_dagster.sources.dates import days_expr
from mystocks_dagster.sources.recorded.file_reading import head, open_file, readable, scan
from mystocks_dagster.sources.recorded.layouts import OWN, Layout, bars_layout, own_layout
from mystocks_dagster.sources.recorded.span import Span
from mystocks_dagster.sources.recorded.values import cast, codes_expr

#: Tables that an archive may hold: all source tables except snapshots.
RECORDED_TABLES = tuple(name for name, table in BUILT_IN.items() if table.origin == "source")
SUFFIXES = (".parquet", ".csv", ".csv.gz")

#: Columns beside those of the table: the last value of a row is empty, and the row is of the kind that is stored.
_ENDS_EARLY, _WANTED = "=ends_early", "=wanted"
#: baostock's adjustflag of raw rows.
_RAW = 3
#: The minimum share of rows that must prove raw prices, in a layout that does not state them.
_PROOF = 0.9


@dataclass(frozen=True)
class RecordedFile:
    """A file with rows of one table in one layout.

    Attributes:
        columns: Our column names to the file's column names.
        encoding: The encoding of a text file.
    """

    path: Path
    table: Table
    layout: Layout
    columns: dict[str, str]
    encoding: str = "utf-8"

    def read(self, keep: pl.Expr) -> pl.DataFrame:
        """Return the rows for which `keep` holds, in the table's columns and types.

        Raises:
            SourceChanged: A value is missing or invalid.
        """
        # A row without a key matches no filter, but must be reported as an error.
        required = [column.name for column in self.table.columns if column.name in self.table.key and not column.null]
        keyless = pl.any_horizontal(pl.col(required).is_null())
        rows = self._collected(lambda rows: rows.filter(keep | keyless))
        if rows[_ENDS_EARLY].any():
            self._check_lines()
        rows = rows.filter(_WANTED) if self.layout.raw_only else rows
        return self._checked(rows.select(self.table.dtypes.keys()))

    def span(self, column: str, since: date, until: date) -> Span | None:
        """Return the range of days in a column, or None if the file has no rows.

        Args:
            column: Our name of the column.
            since: The first valid day.
            until: The last valid day.

        Raises:
            SourceChanged: A value is invalid.
        """
        day = pl.col(column)
        within = day.filter(day.is_between(since, until))
        ends = self._collected(
            lambda rows: rows.filter(_WANTED).select(
                first=within.min(), last=within.max(), earliest=day.min(), latest=day.max()
            )
        ).row(0, named=True)
        return None if ends["earliest"] is None else Span(**ends)

    def _collected(self, query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        try:
            with readable(self.path, self.table):
                return query(self._converted()).collect()
        except SourceChanged as error:
            if not isinstance(error.__cause__, DuplicateError):
                self._check_lines()  # a line that ends within a value is named instead
            raise

    @property
    def _is_text(self) -> bool:
        return self.path.suffix.lower() != ".parquet"

    def _check_lines(self) -> None:
        """Check that no line ends early, once; see `check_lines`. The lines themselves are read only if one does."""
        if not self._is_text:
            return
        with readable(self.path, self.table):
            if self._has_uneven_lines:
                with open_file(self.path, encoding=self.encoding) as lines:
                    check_lines(self.path, lines, ",")

    @cached_property
    def _has_uneven_lines(self) -> bool:
        """Whether lines differ in the number of their commas, as those also do that have quoted ones."""
        lines = scan(self.path, self.encoding, separator="\x01", quote_char=None, has_header=False)
        commas = pl.first().str.count_matches(",", literal=True)
        return lines.select(commas.filter(pl.first() != "").n_unique()).collect().item() > 1

    def _converted(self) -> pl.LazyFrame:
        """Return all rows in the table's columns and types."""
        raw = scan(self.path, self.encoding)
        types = raw.collect_schema()
        # To Polars a line that ends early has empty values at its end.
        early = pl.col(types.names()[-1]).is_null() if self._is_text else pl.lit(value=False)
        wanted = pl.lit(value=True)
        if self.layout.raw_only:
            wanted = (_adjustment(types) == _RAW).fill_null(value=False)
            raw = raw.filter(wanted | early)
        columns = (self._typed(column, types) for column in self.table.columns)
        rows = raw.select(*columns, early.alias(_ENDS_EARLY), wanted.alias(_WANTED))
        if self.layout.raw_only and "suspended" in self.columns:  # baostock: tradestatus 0 is suspended
            rows = rows.with_columns(suspended=~pl.col("suspended"))
        if self.table.name != "daily_bars" or self.layout.name == OWN:
            return rows
        if "suspended" not in self.columns:
            rows = rows.with_columns(suspended=pl.col("volume").fill_null(0) == 0)
        # On suspended days volume and amount are often empty.
        return rows.with_columns(
            pl.when("suspended").then(pl.col(name).fill_null(0)).otherwise(pl.col(name)).alias(name)
            for name in ("volume", "amount")
        )

    def _typed(self, column: Column, types: pl.Schema) -> pl.Expr:
        if column.name not in self.columns:
            return self._default(column)
        label = self.columns[column.name]
        if column.name == "symbol":
            return normalise_expr(codes_expr(label, types[label])).alias(column.name)
        if column.dtype == pl.Date:
            return days_expr(label, types[label]).alias(column.name)
        scale = self.layout.scale.get(column.name)
        value = cast(pl.col(label), types[label], pl.Float64 if scale else column.dtype)
        return ((value * scale).round(2).cast(column.dtype) if scale else value).alias(column.name)

    def _default(self, column: Column) -> pl.Expr:
        """Return the value of a column that the file does not have."""
        if column.name == "updated_at":
            written = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
            return pl.lit(written).dt.convert_time_zone("Asia/Shanghai").cast(MOMENT).alias(column.name)
        if column.name == "symbol":
            return pl.lit(normalise(_stem(self.path))).alias(column.name)
        return pl.lit(None, column.dtype).alias(column.name)

    def _checked(self, rows: pl.DataFrame) -> pl.DataFrame:
        for column in self.table.columns:
            if not column.null and rows[column.name].null_count():
                key = rows.filter(pl.col(column.name).is_null()).row(0, named=True)
                where = ", ".join(f"{name} {key[name]}" for name in self.table.key)
                label = self.columns.get(column.name, column.name)
                raise SourceChanged(
                    f"{self.path}: column {label!r} is empty, or not {column.unit}, in the row of {where}."
                )
        if self.layout.unproven:
            self._verify_raw(rows)
        return rows

    def _verify_raw(self, rows: pl.DataFrame) -> None:
        """Raise `SourceChanged` if the mean prices prove that prices are adjusted or that units are wrong."""
        traded = rows.filter(pl.col("volume") > 0)
        mean = pl.col("amount") / pl.col("volume")
        outside = traded.filter(~mean.is_between(pl.col("low") * 0.99, pl.col("high") * 1.01))
        if outside.height > (1 - _PROOF) * traded.height:
            where = ", ".join(f"{name} {outside[name][0]}" for name in self.table.key)
            raise SourceChanged(
                f"{self.path}: amount / volume is outside low to high in {outside.height:,} of {traded.height:,} rows, "
                f"e.g. {where}: its prices are adjusted, or its units are not those of {self.layout.name} "
                "(see docs/sources.md)."
            )


def recognise(path: Path, root: Path) -> RecordedFile | str:
    """Return the file as a part of the archive, or the reason why it is not read.

    A file belongs to the table of its name, or of the name of a folder above it within `root`; it has our columns.
    Any other file is read only if its columns are those of a known layout of daily bars.

    Raises:
        SourceChanged: The file cannot be read, or has not all columns of its table.
    """
    parts = (*path.relative_to(root).parts[:-1], _stem(path))
    name = next((part for part in reversed(parts) if part in TABLES), None)
    if name and name not in RECORDED_TABLES:
        return f"an archive cannot hold {name}"
    columns, encoding = head(path)
    if name in (None, "daily_bars"):
        layout = bars_layout(columns, _stem(path), named=name is not None)
        if isinstance(layout, str):
            return layout
        if layout is not None:
            return _bars(path, layout, columns, encoding)
    if name is None:
        return "neither named after a table nor daily bars of baostock or tushare"
    return _complete(path, TABLES[name], own_layout(TABLES[name]), columns, encoding)


def _bars(path: Path, layout: Layout, columns: set[str], encoding: str) -> RecordedFile | str:
    if layout.raw_only and _RAW not in _adjustments(path, encoding):
        return "it holds adjusted prices (adjustflag is not 3), which are never stored"
    file = _complete(path, TABLES["daily_bars"], layout, columns, encoding)
    if "symbol" not in file.columns:
        try:
            normalise(_stem(path))
        except InvalidParams:
            return f"it has no column with the code ({layout.optional['symbol']}), and its name is not a code"
    return file


def _complete(path: Path, table: Table, layout: Layout, columns: set[str], encoding: str) -> RecordedFile:
    only = next(iter(columns), "") if len(columns) == 1 else ""
    if (mark := separator_of(only)) != ",":
        raise SourceChanged(f"{path} has {mark!r} between its columns. Save it as CSV with half-width commas.")
    if missing := layout.missing(columns):
        needs = ", ".join(layout.needs.values())
        raise SourceChanged(f"{path} has no column {missing!r}; {table.name} needs {needs} (see docs/sources.md).")
    return RecordedFile(path, table, layout, layout.columns(columns), encoding)


def _stem(path: Path) -> str:
    """Return a file's name without its suffixes: sh.600000.csv.gz is sh.600000."""
    suffixes = (suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix))
    return path.name[: -len(max(suffixes, key=len))]


def _adjustments(path: Path, encoding: str) -> set[int]:
    with readable(path, TABLES["daily_bars"]):
        rows = scan(path, encoding)
        return set(rows.select(_adjustment(rows.collect_schema()).unique()).collect().to_series())


def _adjustment(types: pl.Schema) -> pl.Expr:
    return cast(pl.col("adjustflag"), types["adjustflag"], pl.Int64)
