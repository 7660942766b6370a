"""Writing the tables of a lake: every write is one atomic commit of rows that obey their table's contract."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import polars as pl
from deltalake import DeltaTable, write_deltalake

from mystocks_dagster.errors import ContractBroken, UnknownName
from mystocks_dagster.lake.bulk import Rewrite
from mystocks_dagster.lake.commits import TableCommitter, commit_properties
from mystocks_dagster.lake.formats import add_columns
from mystocks_dagster.lake.layout import (
    WATERMARKS_ONLY,
    covers,
    date_column,
    stream,
    to_disk,
)
from mystocks_dagster.lake.replacement import (
    DaysReplacement,
    KeysReplacement,
    MatchReplacement,
    SpanReplacement,
    StretchReplacement,
)
from mystocks_dagster.market.days_of_rows import are_among, distinct_days
from mystocks_dagster.market.table import Column
from mystocks_dagster.market.tables import table as table_of


class TableWriter(TableCommitter):
    """Write access to a lake; see `lake.store.Lake`."""

    def replace_days(
        self, table: str, frame: pl.DataFrame, days: Sequence[date], *, watermarks: Mapping[str, int] | None = None
    ) -> int:
        """Replace the rows of exactly these days by `frame`, atomically; days without rows become empty.

        Args:
            table: Name of the table.
            frame: The new rows.
            days: The days to replace.
            watermarks: Stored by the same commit, see `lake.watermarks`.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken: The frame breaks the table's contract, or has a day that is not in `days`.
            WrongWorld: The lake belongs to another world.
            WrongFormat: Another version of this package wrote the table.
            TableDamaged: A file that the write must read is missing or damaged.
            LakeUnavailable: The lake cannot be written; the table is unchanged.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        column = date_column(schema)
        if {*distinct_days(frame[column])} - {*days}:
            foreign = frame.filter(~are_among(frame[column], days))
            raise ContractBroken(
                f"{table}.{column}: {foreign[column][0]} is not among the days to replace, e.g. {foreign.row(0)}."
            )
        if days and schema.partitioned:
            self._replace(schema, DaysReplacement(self._uri(table), schema, frame, days), watermarks)
        elif days:
            self._write(schema, frame, covers(schema, days), watermarks)
        return frame.height

    def replace_span(
        self,
        table: str,
        frame: pl.DataFrame,
        start: date,
        end: date,
        *,
        watermarks: Mapping[str, int] | None = None,
    ) -> int:
        """Replace all rows from the day `start` to the day `end` by `frame`, atomically: for bulk loads of whole years.

        It takes about the time in which polars writes the frame as Parquet, if the frame is sorted by date and symbol
        or by symbol and date. Stored months and years that lie within the span are replaced without being read.

        Args:
            table: Name of a table that is written by trading day.
            frame: The new rows.
            start: The first day to replace.
            end: The last day to replace.
            watermarks: Stored by the same commit, see `lake.watermarks`.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken: The frame breaks the table's contract, or has a day outside the span.
            UnknownName: The table is not written by trading day.
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        if not schema.partitioned:
            raise UnknownName(f"{table} is not written by trading day, so a span of days cannot be replaced in it.")
        frame = self._to_store(schema, frame)
        days = frame[date_column(schema)]
        foreign = frame.filter(~days.is_between(start, end))
        if foreign.height:
            raise ContractBroken(
                f"{table}.{days.name}: {foreign[days.name][0]} is not between {start} and {end}, e.g. {foreign.row(0)}."
            )
        self._replace(schema, SpanReplacement(self._uri(table), schema, frame, start, end), watermarks)
        return frame.height

    def replace_rows(self, table: str, frame: pl.DataFrame, where: str) -> int:
        """Replace the rows that match the SQL condition `where` by `frame`, whose rows all match it, atomically.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        self._write(schema, frame, where, None)
        return frame.height

    def replace_matching(
        self,
        table: str,
        frame: pl.DataFrame,
        matching: pl.Expr,
        *,
        before_commit: Callable[[], object] = lambda: None,
    ) -> int:
        """Replace the rows that match by `frame` in a table of few rows, atomically: all are written as one file.

        It does what `replace_rows` does, in a fraction of the time.

        Args:
            table: Name of the table.
            frame: The new rows.
            matching: Which stored rows they replace.
            before_commit: Called once the file is written, again at each attempt; an error of it leaves the table as
                it was.

        Raises:
            ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        self._replace(schema, MatchReplacement(self._uri(table), schema, frame, matching, before_commit), None)
        return frame.height

    def replace_from(
        self,
        table: str,
        frame: pl.DataFrame,
        since: date,
        symbols: Mapping[str, date],
        *,
        watermarks: Mapping[str, int] | None = None,
    ) -> int:
        """Replace the rows from the day `since` on, and those of some symbols from an earlier day on, atomically.

        Args:
            table: Name of a table that is written by trading day.
            frame: The new rows; each symbol's are from its first replaced day on.
            since: The first day that is replaced for all symbols.
            symbols: An earlier first day by symbol.
            watermarks: Stored by the same commit, see `lake.watermarks`.

        Returns:
            The number of rows written.

        Raises:
            ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        changes = self.code_changes()
        codes = {code: day for symbol, day in symbols.items() for code in changes.all_codes([symbol])}
        self._replace(schema, StretchReplacement(self._uri(table), schema, frame, since, codes), watermarks)
        return frame.height

    def create(self, table: str) -> None:
        """Create a table without rows, unless it exists.

        Raises:
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)

        def attempt(existing: DeltaTable | None) -> None:
            if existing is None:
                self._create(schema)

        self._commit(schema, attempt)

    def rewrite(self, table: str) -> Rewrite:
        """Begin to replace a whole table that is written by trading day in pieces; see `lake.bulk`.

        Raises:
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        self.create(table)
        schema = replace(self.schema_of(table), by_month=table_of(table).by_month)
        return Rewrite(
            self._uri(table),
            schema,
            lambda frame: self._to_store(schema, frame),
            lambda replacement, watermarks: self._replace(schema, replacement, watermarks),
        )

    def add_columns(self, table: str, columns: Sequence[Column]) -> None:
        """Add columns to an open table, or change what they mean; they are null in its stored rows.

        Raises:
            ContractBroken: The table is not open, or one of the columns is its own or no number.
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        declared = table_of(table)
        for column in columns:
            if not declared.open or column.name in declared.dtypes or column.dtype != pl.Float64:
                raise ContractBroken(f"{table}: the column {column.name} cannot be added to this table.")

        def attempt(existing: DeltaTable | None) -> None:
            add_columns(existing or self._create(declared.stored), columns)

        self._commit(declared.stored, attempt)

    def upsert(self, table: str, frame: pl.DataFrame) -> int:
        """Update the rows whose key is already stored and insert the others, atomically.

        Returns:
            The number of rows given.

        Raises:
            ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        if schema.partitioned and frame.height:
            self._replace(schema, KeysReplacement(self._uri(table), schema, frame), None)
            return frame.height
        data = to_disk(schema, frame)

        def attempt(existing: DeltaTable | None) -> None:
            table = existing or self._create(schema)
            on = [_same(column) for column in schema.columns if column.name in schema.key]
            if schema.date_column and schema.date_column in schema.key:
                # With constant bounds, files of other days are not read and do not conflict with other writers.
                on.append(covers(schema, frame[schema.date_column].unique().sort().to_list(), alias="t."))
            merge = table.merge(data, " AND ".join(on), source_alias="s", target_alias="t")
            merge.when_matched_update_all().when_not_matched_insert_all().execute()

        if frame.height:
            self._commit(schema, attempt)
        return frame.height

    def replace_all(self, table: str, frame: pl.DataFrame, *, watermarks: Mapping[str, int] | None = None) -> int:
        """Replace the whole table and store `watermarks`, atomically; return the number of rows.

        Raises:
            ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        frame = self._to_store(schema, frame)
        if schema.partitioned:
            everything = SpanReplacement(self._uri(table), schema, frame, date.min, date.max)
            self._replace(schema, everything, watermarks)
        else:
            self._write(schema, frame, None, watermarks)
        return frame.height

    def set_watermarks(self, table: str, watermarks: Mapping[str, int]) -> None:
        """Store `watermarks` with a table whose rows do not change.

        Raises:
            WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `replace_days`.
        """
        schema = self.schema_of(table)
        no_rows = to_disk(schema, schema.empty())

        def attempt(existing: DeltaTable | None) -> None:
            if existing is not None:
                commit = commit_properties(existing, watermarks, {WATERMARKS_ONLY: "true"})
                write_deltalake(existing, stream(no_rows), mode="append", commit_properties=commit)

        self._commit(schema, attempt)


def _same(column: Column) -> str:
    """Return the SQL condition that both rows of a merge have the same value; two unknown values are the same."""
    name = column.name
    return (
        f"(t.{name} = s.{name} OR (t.{name} IS NULL AND s.{name} IS NULL))" if column.null else f"t.{name} = s.{name}"
    )
