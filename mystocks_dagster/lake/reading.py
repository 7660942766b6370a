"""Reading the tables of a lake."""

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
from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of

if TYPE_CHECKING:
    import pandas as pd


class Selection(TypedDict, total=False):
    """What of a table is read: the keywords of `TableReader.scan`, which explains them."""

    columns: Sequence[str] | None
    symbols: Sequence[str] | None
    start: date | None
    end: date | None


class TableReader:
    """What readers of a lake ask for; see `lake.store.Lake`."""

    def __init__(self, location: str, world: str | None = None) -> None:
        self.location = location.rstrip("/")
        self.world = world
        self._known_world: str | None = None

    def exists(self, table: str) -> bool:
        """Say whether the table has been written."""
        return delta.open_table(self._uri(table)) is not None

    def days(self, table: str) -> list[date]:
        """Return the distinct dates of the table, ascending; none when it is missing."""
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
    ) -> pl.LazyFrame:
        """Read lazily: only the files and columns that are needed are touched. Rows come in no particular order.

        Args:
            table: Name of the table.
            columns: Columns to keep, in this order; None means all.
            symbols: Symbols to keep; None means all.
            start: First day to keep, by the table's date column.
            end: Last day to keep.

        Raises:
            TableMissing: Nothing has written it yet.
            UnknownName: There is no such table or column.
            WrongFormat: Another version of this package wrote the table.
            TableDamaged: A file of it is lost or damaged.
        """
        schema = table_of(table)
        check_columns(schema, [*(columns or ()), *(("symbol",) if symbols is not None else ())])
        opened = self._open(table)
        years = (start.year if start else None, end.year if end else None)
        delta.check_files(opened, self._uri(table), years if schema.by_day else (None, None))
        frame = pl.scan_delta(opened, use_pyarrow=has_wildcards(self.location))
        stored = {field.name for field in opened.schema().fields}
        if symbols is not None:
            frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
        if start is not None:
            frame = frame.filter(pl.col(date_column(schema)) >= start)
            frame = frame.filter(pl.col(YEAR) >= start.year) if schema.by_day else frame
        if end is not None:
            frame = frame.filter(pl.col(date_column(schema)) <= end)
            frame = frame.filter(pl.col(YEAR) <= end.year) if schema.by_day else frame
        return frame.select(
            from_disk(schema, name, stored) for name in (columns if columns is not None else schema.dtypes)
        )

    def read(self, table: str, **selection: Unpack[Selection]) -> pl.DataFrame:
        """Read into memory, in no particular order; arguments and errors as `scan`."""
        return self._collect(table, self.scan(table, **selection))

    def read_pandas(self, table: str, **selection: Unpack[Selection]) -> "pd.DataFrame":
        """Read into a pandas frame, in no particular order; arguments and errors as `scan`."""
        return self.read(table, **selection).to_pandas()

    def head(self, table: str, n: int = 10) -> pl.DataFrame:
        """Return the newest `n` rows: by date, then by moment, newest first; tables without either by key."""
        schema = table_of(table)
        moments = [column.name for column in schema.columns if column.dtype == MOMENT and not column.null]
        newest = [schema.date_column, *moments] if schema.date_column else moments
        frame = self.scan(table)
        if schema.date_column:
            # The date column alone tells how far back to look, so the other columns of old rows are not read.
            floor = self._collect(table, frame.select(pl.col(schema.date_column).top_k(n).min())).item()
            frame = frame.filter(pl.col(schema.date_column) >= floor) if floor else frame
        order = [*newest, *(name for name in schema.key if name not in newest)]
        return self._collect(table, frame.sort(order, descending=[name in newest for name in order]).head(n))

    def query(self, sql: str) -> pl.DataFrame:
        """Answer one SELECT in DuckDB's SQL over all tables of the lake; nothing can be written and no file reached.

        Raises:
            LakeError: It is not one SELECT, or DuckDB refuses it.
        """
        from mystocks_dagster.lake.sql import query

        return query(self._views(sql), sql)

    def tables(self) -> list[TableInfo]:
        """Return what there is, in the order of `TABLES`.

        Reads the transaction logs and lists files, but reads no data.
        """
        return [info for name in TABLES if (info := self._info(name)) is not None]

    def log(self, table: str, version: int | None = None) -> DeltaTable | None:
        """Open the transaction log of a table, at its newest or an older version; None when there is no table."""
        return delta.open_table(self._uri(table), version)

    # ---- inside

    def _info(self, name: str) -> TableInfo | None:
        uri = self._uri(name)
        try:
            opened = delta.open_table(uri)
            if opened is None:
                return None
            delta.check_files(opened, uri)
        except TableDamaged as error:
            return TableInfo(table=name, trouble=str(error))
        return replace(table_info(name, opened), trouble=format_trouble(table_of(name), opened))

    def _views(self, sql: str) -> dict[str, DeltaTable]:
        """Return the tables that a query may mean; one that it does not name need not be whole."""
        views = {}
        for name in TABLES:
            try:
                opened = delta.open_table(self._uri(name))
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
        opened = delta.open_table(self._uri(table))
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
        """Return the world of the first table that can be opened; None for an empty lake.

        Raises:
            TableDamaged: There are tables, and none of them can be opened.
        """
        if self._known_world is None:
            damage = None
            for name in TABLES:
                try:
                    opened = delta.open_table(self._uri(name))
                except TableDamaged as error:
                    damage = error
                    continue
                if opened is not None:
                    self._known_world = world_of(opened)
                    return self._known_world
            if damage:
                raise damage
        return self._known_world
