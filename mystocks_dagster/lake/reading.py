"""Reading the tables of a lake."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, TypedDict, Unpack

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import TableDamaged, TableMissing, WrongFormat
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.formats import check_format, format_trouble
from mystocks_dagster.lake.layout import YEAR, TableInfo, check_columns, date_column, from_disk, table_info, world_of
from mystocks_dagster.lake.location import check_location, has_wildcards
from mystocks_dagster.lake.point_in_time import check_known, is_known_by_date, known
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of

if TYPE_CHECKING:
    import pandas as pd


class Selection(TypedDict, total=False):
    """Keyword arguments of `TableReader.scan`, which documents them."""

    columns: Sequence[str] | None
    symbols: Sequence[str] | None
    start: date | None
    end: date | None
    as_of: date | None


class TableReader:
    """Read access to a lake; see `lake.store.Lake`."""

    def __init__(self, location: str, world: str | None = None) -> None:
        self.location = location.rstrip("/")
        self.world = world
        self._known_world: str | None = None

    def exists(self, table: str) -> bool:
        """Return whether the table exists."""
        return self._opened(table) is not None

    def days(self, table: str) -> list[date]:
        """Return the distinct dates of the table, ascending; empty when the table does not exist."""
        if not self.exists(table):
            return []
        column = date_column(table_of(table))
        return self._collect(table, self.scan(table, columns=[column]).unique().sort(column))[column].to_list()

    def scan(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        as_of: date | None = None,
    ) -> pl.LazyFrame:
        """Scan lazily: only the necessary files and columns are read. Rows come in no particular order.

        Args:
            table: Name of the table.
            columns: Columns to keep, in this order; None means all.
            symbols: Symbols to keep; None means all.
            start: First day to keep, by the table's date column.
            end: Last day to keep.
            as_of: Keep what was known at the end of that day, in its newest version of then, see
                `lake.point_in_time`; None means all rows with all versions.

        Raises:
            TableMissing: The table does not exist yet.
            UnknownName: There is no such table or column, or it cannot be read as of a day.
            WrongFormat: Another version of this package wrote the table.
            TableDamaged: A file of it is missing or damaged.
        """
        schema = table_of(table)
        check_columns(schema, [*(columns or ()), *(("symbol",) if symbols is not None else ())])
        opened = self._open(table)
        if as_of is not None and is_known_by_date(schema):
            end, as_of = min(end or as_of, as_of), None
        years = (start.year if start else None, end.year if end else None)
        delta.check_files(opened, self._uri(table), years if schema.by_day else (None, None))
        stored = {field.name for field in opened.schema().fields}
        frame = pl.scan_delta(opened, use_pyarrow=has_wildcards(self.location))
        if as_of is not None:
            frame = known(schema, frame.select(from_disk(schema, name, stored) for name in schema.dtypes), as_of)
        frame = _selected(schema, frame, symbols, start, end, partitioned=schema.by_day and as_of is None)
        stored = stored if as_of is None else set(schema.dtypes)
        names = columns if columns is not None else schema.dtypes
        return frame.select(from_disk(schema, name, stored) for name in names)

    def read(self, table: str, **selection: Unpack[Selection]) -> pl.DataFrame:
        """Read into memory, in no particular order; arguments and errors as in `scan`."""
        return self._collect(table, self.scan(table, **selection))

    def read_pandas(self, table: str, **selection: Unpack[Selection]) -> "pd.DataFrame":
        """Read into a pandas frame, in no particular order; arguments and errors as in `scan`."""
        return self.read(table, **selection).to_pandas()

    def head(self, table: str, n: int = 10, *, as_of: date | None = None) -> pl.DataFrame:
        """Return the newest `n` rows, newest first: by date, then by moment; tables without either by key.

        With `as_of` only what was known at the end of that day, see `scan`.
        """
        schema = table_of(table)
        moments = [column.name for column in schema.columns if column.dtype == MOMENT and not column.null]
        newest = [schema.date_column, *moments] if schema.date_column else moments
        frame = self.scan(table, as_of=as_of)
        if schema.date_column:
            # The date column alone determines how far back to read, so the other columns of old rows are not read.
            floor = self._collect(table, frame.select(pl.col(schema.date_column).top_k(n).min())).item()
            frame = frame.filter(pl.col(schema.date_column) >= floor) if floor else frame
        order = [*newest, *(name for name in schema.key if name not in newest)]
        return self._collect(table, frame.sort(order, descending=[name in newest for name in order]).head(n))

    def query(self, sql: str, *, as_of: date | None = None) -> pl.DataFrame:
        """Run one SELECT in DuckDB's SQL over all tables of the lake; it can neither write nor open files.

        With `as_of` the tables hold only what was known at the end of that day, see `scan`.

        Raises:
            LakeError: It is not a single SELECT, or DuckDB rejects it.
            UnknownName: It names a table that cannot be read as of a day.
        """
        from mystocks_dagster.lake.sql import query

        return query(self._views(sql, as_of), sql, as_of)

    def tables(self) -> list[TableInfo]:
        """Return size and state of each existing table, in the order of `TABLES`; no data is read."""
        return [info for name in TABLES if (info := self._info(name)) is not None]

    def log(self, table: str, version: int | None = None) -> DeltaTable | None:
        """Open the transaction log of a table, at its newest or an older version; None when it does not exist."""
        return self._opened(table) if version is None else delta.open_table(self._uri(table), version)

    # ---- inside

    def _opened(self, table: str) -> DeltaTable | None:
        """Open the version of a table that is read: the newest one; None when it does not exist."""
        return delta.open_table(self._uri(table))

    def _info(self, name: str) -> TableInfo | None:
        uri = self._uri(name)
        try:
            opened = self._opened(name)
            if opened is None:
                return None
            delta.check_files(opened, uri)
        except TableDamaged as error:
            return TableInfo(table=name, trouble=str(error))
        return replace(table_info(name, opened), trouble=format_trouble(table_of(name), opened))

    def _views(self, sql: str, as_of: date | None) -> dict[str, DeltaTable]:
        """Return the tables that a query may read; one that it cannot read is an error only when it is named."""
        views = {}
        for name, schema in TABLES.items():
            if as_of is not None and not schema.known_by:
                if re.search(rf"\b{name}\b", sql.lower()):
                    check_known(schema)
                continue
            try:
                opened = self._opened(name)
                if opened is not None:
                    check_format(table_of(name), opened)
                    delta.check_files(opened, self._uri(name))
                    views[name] = opened
            except (TableDamaged, WrongFormat):
                if name in sql.lower():
                    raise
        return views

    def _uri(self, table: str) -> str:
        check_location(self.location)
        return f"{self.location}/{table_of(table).name}"

    def _open(self, table: str) -> DeltaTable:
        opened = self._opened(table)
        if opened is None:
            raise TableMissing(
                f"There is no table {table} in the lake {self.location} yet; run the task that writes it."
            )
        check_format(table_of(table), opened)
        return opened

    def _collect(self, table: str, frame: pl.LazyFrame) -> pl.DataFrame:
        with delta.translate_errors(self._uri(table)):
            return frame.collect()

    def stored_world(self) -> str | None:
        """Return the world of the first table that can be opened; None when the lake is empty.

        Raises:
            TableDamaged: There are tables, but none of them can be opened.
        """
        if self._known_world is None:
            damage = None
            for name in TABLES:
                try:
                    opened = self._opened(name)
                except TableDamaged as error:
                    damage = error
                    continue
                if opened is not None:
                    self._known_world = world_of(opened)
                    return self._known_world
            if damage:
                raise damage
        return self._known_world


def _selected(
    schema: Table,
    frame: pl.LazyFrame,
    symbols: Sequence[str] | None,
    start: date | None,
    end: date | None,
    *,
    partitioned: bool,
) -> pl.LazyFrame:
    """Keep the rows of those symbols and days; a condition on the partition column lets whole files be skipped."""
    if symbols is not None:
        frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
    if start is not None:
        frame = frame.filter(pl.col(date_column(schema)) >= start)
        frame = frame.filter(pl.col(YEAR) >= start.year) if partitioned else frame
    if end is not None:
        frame = frame.filter(pl.col(date_column(schema)) <= end)
        frame = frame.filter(pl.col(YEAR) <= end.year) if partitioned else frame
    return frame
