"""Commits to the tables of a lake: each is atomic, checks world and format first, and creates a missing table."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake import Schema as DeltaSchema

from mystocks_dagster.errors import WrongWorld
from mystocks_dagster.lake import delta
from mystocks_dagster.lake.contract import conform
from mystocks_dagster.lake.formats import check_format, grow, stamp
from mystocks_dagster.lake.layout import (
    YEAR,
    stream,
    to_disk,
    watermark_name,
    world_name,
    world_of,
)
from mystocks_dagster.lake.overtaking import Overtaking
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.replacement import FileExchange
from mystocks_dagster.market.code_changes import NO_CHANGES
from mystocks_dagster.market.table import Table

#: A small dictionary limit writes numbers that rarely repeat plainly: a third of the time, at the same file size.
#: Smaller row groups take less memory, and a reader of one symbol reads less.
PARQUET = WriterProperties(max_row_group_size=262_144, dictionary_page_size_limit=131_072)


class TableCommitter(TableReader):
    """A lake whose tables can be committed to; see `lake.store.Lake`."""

    def __init__(self, location: str, world: str | None = None) -> None:
        super().__init__(location, world)
        self._overtaking = Overtaking()

    def unless_overtaken(self, *tables: str) -> AbstractContextManager[None]:
        """Begin a block that computes rows of these tables from stored ones, and writes them.

        A write in it raises Overtaken, and changes nothing, if another writer has changed rows of its table since the
        block began.
        """
        opened = {table: self.log(table) for table in tables}
        return self._overtaking.watched({name: log.version() if log else -1 for name, log in opened.items()})

    def check_world(self) -> None:
        """Raise the error of every later write early, before data are fetched.

        Raises:
            WrongWorld: The lake belongs to another world.
        """
        stored = self.stored_world()
        if stored and self.world and stored != self.world:
            raise self._wrong_world(stored)

    def _to_store(self, schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame that obeys its contract, each row under the code that its stock had on the row's day."""
        changes = self.code_changes() if "symbol" in schema.dtypes else NO_CHANGES
        if not changes:
            return conform(schema, frame)
        # A source may give the past of a stock under both codes: the contract concerns what is stored.
        known = {*frame.columns} >= {"symbol", schema.date_column or "symbol"}
        return conform(schema, changes.by_code_of_the_day(schema, frame) if known else frame)

    def _replace(self, schema: Table, exchange: FileExchange, watermarks: Mapping[str, int] | None) -> None:
        def attempt(existing: DeltaTable | None) -> None:
            table = existing or self._create(schema)
            names = {watermark_name(table, name): number for name, number in (watermarks or {}).items()}
            exchange.commit(table, names, self._overtaking.mark)

        self._commit(schema, attempt)

    def _write(
        self, schema: Table, frame: pl.DataFrame, predicate: str | None, watermarks: Mapping[str, int] | None
    ) -> None:
        data = to_disk(schema, frame)

        def attempt(existing: DeltaTable | None) -> None:
            table = existing or self._create(schema)
            commit = commit_properties(table, watermarks or {}, self._overtaking.mark)
            write_deltalake(
                table,
                stream(data),
                mode="overwrite",
                predicate=predicate,
                writer_properties=PARQUET,
                commit_properties=commit,
            )

        self._commit(schema, attempt)

    def _commit(self, schema: Table, attempt: Callable[[DeltaTable | None], None]) -> None:
        def checked(existing: DeltaTable | None) -> None:
            self._check_table(schema, existing)
            if existing is not None:
                check_format(schema, existing)
                self._overtaking.check(schema.name, existing)
                grow(schema, existing)
            attempt(existing)

        delta.commit(self._uri(schema.name), checked)

    def _create(self, schema: Table) -> DeltaTable:
        """Create the table without rows: since a log precedes the first data file, files without a log mean damage."""
        empty = to_disk(schema, schema.empty()).to_arrow(compat_level=pl.CompatLevel.oldest())
        return DeltaTable.create(
            self._uri(schema.name),
            schema=DeltaSchema.from_arrow(empty.schema),
            mode="error",
            partition_by=[YEAR] if schema.partitioned else None,
            name=world_name(self.world or self.stored_world() or "", schema),
            description=f"{schema.title}: {schema.grain}",
            commit_properties=CommitProperties(app_transactions=[stamp()]),
        )

    def _check_table(self, schema: Table, existing: DeltaTable | None) -> None:
        stored = world_of(existing) if existing else self.stored_world()
        if stored and self.world and stored != self.world:
            raise self._wrong_world(stored)
        if not stored and not self.world:
            raise WrongWorld(
                f"The lake {self.location} is empty, so {schema.name} cannot be computed. Fill it: mystocks bootstrap"
            )

    def _wrong_world(self, stored: str) -> WrongWorld:
        return WrongWorld(
            f"The lake {self.location} holds {stored} data, so {self.world} data may not be written to it. "
            "Set MYSTOCKS_LAKE to another folder, or delete this one."
        )


def commit_properties(
    table: DeltaTable, watermarks: Mapping[str, int], metadata: Mapping[str, str] | None = None
) -> CommitProperties:
    """Return what a commit stores beside its files: watermarks of the table, and texts."""
    transactions = [Transaction(watermark_name(table, name), number) for name, number in watermarks.items()]
    return CommitProperties(app_transactions=transactions, custom_metadata=dict(metadata or {}))
