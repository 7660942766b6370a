"""Reading the tables of a lake."""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Unpack

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import TableDamaged, TableMissing, WrongFormat
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.formats import as_stored, check_format, format_trouble
from mystocks_dagster.lake.layout import TableInfo, check_columns, date_column, from_disk, table_info, world_of
from mystocks_dagster.lake.location import check_location, has_wildcards, is_unfilled, local_path
from mystocks_dagster.lake.open_versions import OpenVersions
from mystocks_dagster.lake.point_in_time import check_known, is_known_by_date, known
from mystocks_dagster.lake.selection import Selection, selected, with_newest_codes
from mystocks_dagster.market.code_changes import CODE, NO_CHANGES, CodeChanges
from mystocks_dagster.market.table import MOMENT, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables import table as table_of
from mystocks_dagster.market.tables.reference import CODE_CHANGES

if TYPE_CHECKING:
    import pandas as pd

    from mystocks_dagster.lake.sql import Bounds


class TableReader:
    """Read access to a lake; see `lake.store.Lake`."""

    def __init__(self, location: str, world: str | None = None) -> None:
        self.location = location.rstrip("/")
        self.world = world
        self._known_world: str | None = None
        self._changes: tuple[DeltaTable | None, CodeChanges] = (None, NO_CHANGES)
        self._open_versions = OpenVersions()

    def exists(self, table: str) -> bool:
        """Return whether the table exists."""
        return self._opened(table) is not None

    def open_together(self, *tables: str) -> None:
        """Open the logs of tables that will be asked for, at the same time; it changes no answer."""
        self._open_versions.open_together(map(self._uri, tables))

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
            columns: Columns to keep, in this order; None means all that the table declares. `source` and `loaded_at`
                of a table from outside are read when they are named. A table with `symbol` has `code` too: the code
                of that day, which differs from `symbol`, the stock's newest code, before a change of the code.
            symbols: Symbols to keep, by any of their codes; None means all.
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
        declared = table_of(table).stored
        # Each opening of a log costs milliseconds: a table of which the stored one says the columns is opened first.
        opened = self._open(table) if declared.open or declared.by_month else None
        schema = as_stored(declared, opened)
        extra = {CODE} if "symbol" in schema.dtypes else set()
        asked = [name for name in columns or () if name not in extra]
        check_columns(schema, [*asked, *(("symbol",) if symbols is not None else ())])
        opened = opened or self._open(table)
        changes = self.code_changes(as_of) if "symbol" in schema.dtypes else NO_CHANGES
        symbols = changes.all_codes(symbols) if symbols is not None else None
        if as_of is not None and is_known_by_date(schema):
            end, as_of = min(end or as_of, as_of), None
        years = (start.year if start else None, end.year if end else None)
        delta.check_files(opened, self._uri(table), years if schema.partitioned else (None, None))
        stored = {field.name for field in opened.schema().fields}
        frame = pl.scan_delta(opened, use_pyarrow=has_wildcards(self.location))
        if as_of is None:
            frame = selected(schema, frame, symbols, start, end, partitioned=schema.partitioned)
        frame = frame.select(from_disk(schema, name, stored) for name in schema.dtypes)
        names = list(columns) if columns is not None else list((schema if schema.open else table_of(table)).dtypes)
        if changes and (as_of is not None or not schema.date_column or {"symbol", CODE} & {*names}):
            frame = with_newest_codes(schema, frame, changes)
        elif CODE in names:
            frame = frame.with_columns(pl.col("symbol").alias(CODE))
        if as_of is not None:
            symbols = [changes.newest.get(symbol, symbol) for symbol in symbols] if symbols is not None else None
            frame = selected(schema, known(schema, frame, as_of), symbols, start, end, partitioned=False)
        return frame.select(names)

    def code_changes(self, as_of: date | None = None) -> CodeChanges:
        """Return the changes of codes, or only those of which the first day had come on the day `as_of`."""
        uri = self._uri(CODE_CHANGES.name)
        folder = local_path(uri)
        # Most lakes in a folder have no such table; asking the system takes a tenth of opening a log.
        if folder is not None and not os.path.exists(folder):  # noqa: PTH110
            return NO_CHANGES
        opened = self._open_versions.newest(uri)
        if opened is None:
            return NO_CHANGES
        if opened is not self._changes[0]:
            check_format(CODE_CHANGES, opened)
            rows = self._collect(CODE_CHANGES.name, pl.scan_delta(opened).select(list(CODE_CHANGES.dtypes)))
            self._changes = (opened, CodeChanges(rows) if rows.height else NO_CHANGES)
        changes = self._changes[1]
        if as_of is None or changes is NO_CHANGES:
            return changes
        return CodeChanges(changes.rows.filter(pl.col("from_day") <= as_of))

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
        schema = self.schema_of(table)
        moments = [column.name for column in schema.columns if column.dtype == MOMENT and not column.null]
        newest = [schema.date_column, *moments] if schema.date_column else moments
        frame = self.scan(table, columns=list(schema.dtypes), as_of=as_of)
        if schema.date_column:
            # The date column alone determines how far back to read, so the other columns of old rows are not read.
            floor = self._collect(table, frame.select(pl.col(schema.date_column).top_k(n).min())).item()
            frame = frame.filter(pl.col(schema.date_column) >= floor) if floor else frame
        order = [*newest, *(name for name in schema.key if name not in newest)]
        return self._collect(table, frame.sort(order, descending=[name in newest for name in order]).head(n))

    def query(self, sql: str, *, as_of: date | None = None, bounds: "Bounds | None" = None) -> pl.DataFrame:
        """Run one SELECT in DuckDB's SQL over all tables of the lake; it can neither write nor open files.

        With `as_of` the tables hold only what was known at the end of that day, see `scan`. With `bounds` rows beyond
        the limit are left out.

        Raises:
            LakeError: It is not a single SELECT, DuckDB rejects it, or it costs more than `bounds` allow.
            UnknownName: It names a table that cannot be read as of a day.
        """
        from mystocks_dagster.lake.sql import query

        return query(self._views(sql, as_of), sql, as_of, self.code_changes(as_of), bounds, self._missing)

    def tables(self) -> list[TableInfo]:
        """Return size and state of each existing table, in the order of `TABLES`; no data is read."""
        return [info for name in TABLES if (info := self._info(name)) is not None]

    def log(self, table: str, version: int | None = None) -> DeltaTable | None:
        """Open the transaction log of a table, at its newest or an older version; None when it does not exist."""
        return self._opened(table) if version is None else self._open_versions.at(self._uri(table), version)

    def schema_of(self, table: str) -> Table:
        """Return the contract of a table as this lake has it, see `lake.formats.as_stored`."""
        schema = table_of(table).stored
        return as_stored(schema, self._opened(table)) if schema.open or schema.by_month else schema

    # ---- inside

    def _opened(self, table: str) -> DeltaTable | None:
        """Open the version of a table that is read: the newest one; None when it does not exist."""
        return self._open_versions.newest(self._uri(table))

    def _info(self, name: str) -> TableInfo | None:
        uri = self._uri(name)
        try:
            opened = self._opened(name)
            if opened is None:
                return None
            delta.check_files(opened, uri)
        except TableDamaged as error:
            return TableInfo(table=name, trouble=str(error))
        return replace(table_info(name, opened), trouble=format_trouble(table_of(name).stored, opened))

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
                    check_format(table_of(name).stored, opened)
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
            raise self._missing(table)
        check_format(table_of(table).stored, opened)
        return opened

    def _missing(self, table: str) -> TableMissing:
        hint = " To fill an empty lake: mystocks bootstrap" if is_unfilled(self.location) else ""
        return TableMissing(
            f"There is no table {table} in the lake {self.location} yet; run the task that writes it.{hint}"
        )

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
