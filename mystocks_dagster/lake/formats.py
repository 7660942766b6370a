"""Format versions of stored tables: which ones this package reads, which need a migration, which are refused.

A nullable column may be added to a contract at any time: it reads as null in old rows, and is added on disk by the
next write. Any other change of a contract is a numbered migration. A table carries the number of its last migration
as one of Delta's application transactions, written by the commit that writes the rows, so that both agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import polars as pl
from deltalake import DeltaTable, Field, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.schema import PrimitiveType

from mystocks_dagster.errors import WrongFormat
from mystocks_dagster.lake.layout import YEAR, to_disk
from mystocks_dagster.market.table import Column, Table

#: Name of the application transaction that holds the format number.
FORMAT = "mystocks format"
#: Format of tables that were written before format numbers existed.
FIRST = 1
#: Key of a column's metadata that says what it means.
_MEANING = "comment"


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A change of one table beyond adding a nullable column.

    Attributes:
        number: The format number after it: 2 for the first migration, then 3, 4...
        table: Name of the table.
        about: What it does, in a sentence.
        change: Takes the rows as stored, without the partition column, and returns the migrated rows.
    """

    number: int
    table: str
    about: str
    change: Callable[[pl.LazyFrame], pl.LazyFrame]


#: All migrations, in order; append only.
MIGRATIONS: tuple[Migration, ...] = ()


def newest_format() -> int:
    """Return the format number that this version of the package writes."""
    return max((migration.number for migration in MIGRATIONS), default=FIRST)


def format_of(opened: DeltaTable) -> int:
    """Return the format number of a table."""
    return opened.transaction_version(FORMAT) or FIRST


def stamp(number: int | None = None) -> Transaction:
    """Return the transaction that records a format number with a commit; by default the newest number."""
    return Transaction(FORMAT, newest_format() if number is None else number)


def pending(table: str, number: int) -> list[Migration]:
    """Return the migrations that a table of that format still needs, in order."""
    later = (migration for migration in MIGRATIONS if migration.table == table and migration.number > number)
    return sorted(later, key=lambda migration: migration.number)


def check_format(schema: Table, opened: DeltaTable) -> None:
    """Raise an error for a table that this version of the package cannot read or write correctly.

    Raises:
        WrongFormat: A newer version wrote the table, or it needs a migration first.
    """
    if trouble := format_trouble(schema, opened):
        raise WrongFormat(trouble)


def format_trouble(schema: Table, opened: DeltaTable) -> str:
    """Return why the table cannot be used as it is, with the remedy; empty when it can be used."""
    number = format_of(opened)
    stored = stored_types(opened)
    unknown = [
        name
        for name, dtype in stored.items()
        if name not in schema.dtypes and name != YEAR and not (schema.open and dtype == pl.Float64)
    ]
    if number > newest_format():
        return _newer(schema, f"it has format {number}, and this version supports formats up to {newest_format()}")
    if due := pending(schema.name, number):
        older = f"The table {schema.name} was written by an older version of MyStocks and needs a migration"
        return f"{older} ({due[0].about}). Run: mystocks data migrate"
    if unknown:
        return _newer(schema, f"this version does not know its column {', '.join(unknown)}")
    expected = disk_types(schema)
    mistyped = [name for name, dtype in stored.items() if expected.get(name, dtype) != dtype]
    missing = [column.name for column in schema.columns if column.name not in stored and not column.null]
    if mistyped or missing:
        difference = f"its column {missing[0]} is missing" if missing else ""
        if mistyped:
            name = mistyped[0]
            difference = f"its column {name} has type {stored[name]} instead of {expected[name]}"
        other = f"The table {schema.name} was written by another version of MyStocks: {difference}"
        return f"{other}. This version has no migration for that."
    return ""


def disk_types(schema: Table) -> dict[str, pl.DataType]:
    """Return the types that the columns of a contract have on disk."""
    return dict(to_disk(schema, schema.empty()).schema)


def stored_types(opened: DeltaTable) -> dict[str, pl.DataType]:
    """Return the types of the columns that a stored table has."""
    return dict(pl.Schema(opened.schema()))


def grow(schema: Table, opened: DeltaTable) -> None:
    """Add the nullable columns of the contract that the stored table lacks; they read as null in stored rows."""
    import pyarrow as pa

    stored = {field.name for field in opened.schema().fields}
    missing = [name for name in schema.dtypes if name not in stored]
    if missing:
        empty = to_disk(schema, schema.empty()).select(missing).to_arrow(compat_level=pl.CompatLevel.oldest())
        opened.alter.add_columns(DeltaSchema.from_arrow(pa.schema(empty.schema)).fields)


def as_stored(schema: Table, opened: DeltaTable | None) -> Table:
    """Return the contract of a table as it is stored: an open one with the columns that were added to it.

    A table `by_month` that an older version wrote without partitions stays so until it is rebuilt.
    """
    if opened is None:
        return schema
    if schema.by_month and YEAR not in opened.metadata().partition_columns:
        schema = replace(schema, by_month=False)
    if not schema.open:
        return schema
    added = (
        Column(field.name, pl.Float64, str(field.metadata.get(_MEANING, "")), null=True)
        for field in opened.schema().fields
        if field.name not in schema.dtypes and field.name != YEAR
    )
    return replace(schema, columns=(*schema.columns, *added))


def add_columns(opened: DeltaTable, columns: Sequence[Column]) -> None:
    """Add columns of numbers to a stored table, or exchange what it says about them."""
    known = {field.name: field.metadata.get(_MEANING) for field in opened.schema().fields}
    new = [column for column in columns if column.name not in known]
    if new:
        opened.alter.add_columns(
            [
                Field(column.name, PrimitiveType("double"), nullable=True, metadata={_MEANING: column.unit})
                for column in new
            ]
        )
    for column in columns:
        if column.name in known and known[column.name] != column.unit:
            opened.alter.set_column_metadata(column.name, {_MEANING: column.unit})


def _newer(schema: Table, why: str) -> str:
    newer = f"The table {schema.name} was written by a newer version of MyStocks ({why})"
    return f"{newer}. Install that version, or set MYSTOCKS_LAKE to another lake."
