"""The lake: one Delta table per entry of `market.schemas.TABLES`, under one folder or URL, for many processes at once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake

from mystocks_dagster.errors import ContractBroken, TableMissing, WrongWorld
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.contract import conform
from mystocks_dagster.lake.layout import (
    MARKS_ONLY,
    YEAR,
    TableInfo,
    check_columns,
    covers,
    date_column,
    from_disk,
    stream,
    table_info,
    to_disk,
    world_name,
    world_of,
)
from mystocks_dagster.market.schemas import MOMENT, TABLES, Table
from mystocks_dagster.market.schemas import table as table_of

if TYPE_CHECKING:
    import pandas as pd

#: Numbers that hardly repeat are soon written plainly instead of listed first: a third of the time, for the same size.
#: Smaller row groups take less memory, and a reader of one symbol reads less.
_PARQUET = WriterProperties(max_row_group_size=262_144, dictionary_page_size_limit=131_072)


class Lake:
    """Tables that obey their contracts, written atomically and read lazily; safe for many processes at once.

    A lake belongs to one world, `real` or `simulated:<seed>`, which its first table decides.

    Attributes:
        location: A folder, or a URL that delta-rs understands (credentials come from the environment).
        world: The world of what will be written; None takes the lake's own (for tables computed from others).
    """

    def __init__(self, location: str, world: str | None = None) -> None:
        self.location = location.rstrip("/")
        self.world = world
        self._known_world: str | None = None

    # ---- reading

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
        """
        schema = table_of(table)
        check_columns(schema, [*(columns or ()), *(("symbol",) if symbols is not None else ())])
        frame = pl.scan_delta(self._open(table))
        if symbols is not None:
            frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
        if start is not None:
            frame = frame.filter(pl.col(date_column(schema)) >= start)
            frame = frame.filter(pl.col(YEAR) >= start.year) if schema.by_day else frame
        if end is not None:
            frame = frame.filter(pl.col(date_column(schema)) <= end)
            frame = frame.filter(pl.col(YEAR) <= end.year) if schema.by_day else frame
        return frame.select(from_disk(schema, name) for name in (columns if columns is not None else schema.dtypes))

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> pl.DataFrame:
        """Read into memory, in no particular order; arguments and errors as `scan`."""
        return self._collect(table, self.scan(table, columns=columns, symbols=symbols, start=start, end=end))

    def read_pandas(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> "pd.DataFrame":
        """Read into a pandas frame, in no particular order; arguments and errors as `scan`."""
        return self.read(table, columns=columns, symbols=symbols, start=start, end=end).to_pandas()

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

        return query({name: opened for name in TABLES if (opened := delta.open_table(self._uri(name))) is not None}, sql)

    def tables(self) -> list[TableInfo]:
        """Return what there is, in the order of `TABLES`; reads the transaction logs only, no data."""
        found = ((name, delta.open_table(self._uri(name))) for name in TABLES)
        return [table_info(name, opened) for name, opened in found if opened is not None]

    def log(self, table: str, version: int | None = None) -> DeltaTable | None:
        """Open the transaction log of a table, at its newest or an older version; None when there is no table."""
        return delta.open_table(self._uri(table), version)

    # ---- writing

    def check_world(self) -> None:
        """Refuse early, before anything is fetched, what every write would refuse.

        Raises:
            WrongWorld: The lake belongs to another world.
        """
        found = self.stored_world()
        if found and self.world and found != self.world:
            raise self._wrong_world(found)

    def replace_days(self, table: str, frame: pl.DataFrame, days: Sequence[date], *, marks: Mapping[str, int] | None = None) -> int:
        """Replace the rows of exactly those days by `frame`, atomically; days without a row become empty.

        Args:
            table: Name of the table.
            frame: The new rows.
            days: The days that they replace.
            marks: Kept with the table by the same commit, see `lake.marks`.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken: The frame does not obey the table's contract, or holds a day that is not in `days`.
            WrongWorld: The lake belongs to another world.
            LakeUnavailable: The lake cannot be written; the table is as it was before.
        """
        schema = table_of(table)
        frame = conform(schema, frame)
        column = date_column(schema)
        foreign = frame.filter(~pl.col(column).is_in(list(days)))
        if foreign.height:
            raise ContractBroken(f"{table}.{column}: {foreign[column][0]} is not among the days to replace, e.g. {foreign.row(0)}.")
        if days:
            self._write(schema, frame, covers(schema, days), marks)
        return frame.height

    def replace_rows(self, table: str, frame: pl.DataFrame, where: str) -> int:
        """Replace the rows for which the SQL condition `where` holds by `frame`, whose rows all fulfil it, atomically.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken, WrongWorld, LakeUnavailable: As `replace_days`.
        """
        schema = table_of(table)
        frame = conform(schema, frame)
        self._write(schema, frame, where, None)
        return frame.height

    def upsert(self, table: str, frame: pl.DataFrame) -> int:
        """Update the rows whose key is stored and insert the others, atomically.

        Returns:
            The number of rows given.

        Raises:
            ContractBroken, WrongWorld, LakeUnavailable: As `replace_days`.
        """
        schema = table_of(table)
        frame = conform(schema, frame)
        data = to_disk(schema, frame)

        def attempt(existing: DeltaTable | None) -> None:
            if existing is None:
                self._create(schema, data)
                return
            on = [f"t.{name} = s.{name}" for name in (*schema.key, *((YEAR,) if schema.by_day else ()))]
            if schema.date_column and schema.date_column in schema.key:
                # Constant bounds, so that files of other days are neither read nor in conflict with other writers.
                on.append(covers(schema, frame[schema.date_column].unique().sort().to_list(), alias="t."))
            merge = existing.merge(data, " AND ".join(on), source_alias="s", target_alias="t")
            merge.when_matched_update_all().when_not_matched_insert_all().execute()

        if frame.height:
            self._commit(schema, attempt)
        return frame.height

    def replace_all(self, table: str, frame: pl.DataFrame, *, marks: Mapping[str, int] | None = None) -> int:
        """Replace the whole table, atomically, and keep `marks` with it; returns the number of rows.

        Raises:
            ContractBroken, WrongWorld, LakeUnavailable: As `replace_days`.
        """
        schema = table_of(table)
        frame = conform(schema, frame)
        self._write(schema, frame, None, marks)
        return frame.height

    def mark(self, table: str, marks: Mapping[str, int]) -> None:
        """Keep `marks` with a table whose rows stay as they are.

        Raises:
            WrongWorld, LakeUnavailable: As `replace_days`.
        """
        schema = table_of(table)
        nothing = to_disk(schema, schema.empty())
        commit = _commit_properties(marks, {MARKS_ONLY: "true"})

        def attempt(existing: DeltaTable | None) -> None:
            if existing is not None:
                write_deltalake(existing, stream(nothing), mode="append", commit_properties=commit)

        self._commit(schema, attempt)

    def compact(self, table: str | None = None) -> None:
        """Merge the small files that daily writes leave into few; readers see the same rows. None means every table."""
        for name in [table_of(table).name] if table else TABLES:
            delta.commit(self._uri(name), _compact)

    def vacuum(self, table: str | None = None, *, keep_hours: int = 168) -> int:
        """Delete files that no version of the last `keep_hours` hours needs; returns how many. None means every table.

        Time travel and readers that began earlier than that lose their files; so do writers, with less than an hour.
        """
        deleted = 0
        for name in [table_of(table).name] if table else TABLES:
            with delta.explained(self._uri(name)):
                opened = delta.open_table(self._uri(name))
                if opened is not None:
                    deleted += len(opened.vacuum(keep_hours, dry_run=False, enforce_retention_duration=False, full=True))
        return deleted

    # ---- inside

    def _uri(self, table: str) -> str:
        return f"{self.location}/{table_of(table).name}"

    def _open(self, table: str) -> DeltaTable:
        opened = delta.open_table(self._uri(table))
        if opened is None:
            raise TableMissing(f"There is no table {table} in the lake {self.location} yet; run the task that writes it.")
        return opened

    def _collect(self, table: str, frame: pl.LazyFrame) -> pl.DataFrame:
        with delta.explained(self._uri(table)):
            return frame.collect()

    def _write(self, schema: Table, frame: pl.DataFrame, predicate: str | None, marks: Mapping[str, int] | None) -> None:
        data = to_disk(schema, frame)
        commit = _commit_properties(marks or {})

        def attempt(existing: DeltaTable | None) -> None:
            if existing is None:
                self._create(schema, data, commit)
            else:
                write_deltalake(
                    existing, stream(data), mode="overwrite", predicate=predicate, writer_properties=_PARQUET, commit_properties=commit
                )

        self._commit(schema, attempt)

    def _commit(self, schema: Table, attempt: Callable[[DeltaTable | None], None]) -> None:
        def checked(existing: DeltaTable | None) -> None:
            self._check_table(schema, existing)
            attempt(existing)

        delta.commit(self._uri(schema.name), checked)

    def _create(self, schema: Table, data: pl.DataFrame, commit: CommitProperties | None = None) -> None:
        write_deltalake(
            self._uri(schema.name),
            stream(data),
            mode="error",
            partition_by=[YEAR] if schema.by_day else None,
            name=world_name(self.world or self.stored_world() or "", schema),
            description=f"{schema.title}: {schema.grain}",
            writer_properties=_PARQUET,
            commit_properties=commit,
        )

    def _check_table(self, schema: Table, existing: DeltaTable | None) -> None:
        found = world_of(existing) if existing else self.stored_world()
        if found and self.world and found != self.world:
            raise self._wrong_world(found)
        if not found and not self.world:
            raise WrongWorld(
                f"The lake {self.location} is empty, so {schema.name} has nothing to be computed from; sync market data into it first."
            )

    def _wrong_world(self, found: str) -> WrongWorld:
        return WrongWorld(
            f"The lake {self.location} holds {found} data, so {self.world} data may not be written into it. "
            "Set MYSTOCKS_LAKE to another folder, or delete that one."
        )

    def stored_world(self) -> str | None:
        """Return the world of the first table that exists; None for an empty lake."""
        if self._known_world is None:
            opened = (delta.open_table(self._uri(name)) for name in TABLES)
            self._known_world = next((world_of(table) for table in opened if table is not None), None)
        return self._known_world


def _commit_properties(marks: Mapping[str, int], said: Mapping[str, str] | None = None) -> CommitProperties:
    transactions = [Transaction(name, number) for name, number in marks.items()]
    return CommitProperties(app_transactions=transactions, custom_metadata=dict(said or {}))


def _compact(existing: DeltaTable | None) -> None:
    if existing is not None:
        existing.optimize.compact()
