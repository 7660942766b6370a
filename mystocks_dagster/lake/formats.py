"""Tables that another version of this package has written: what is the same, what a migration changes, what is refused.

A nullable column may be added to a contract at any time: it is null in what was stored before, and appears on disk
with the
next write. Any other change of a contract is a numbered migration. A table carries the number of the last migration
that it
has seen as one of Delta's application transactions, written by the commit that writes the rows, so that both agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable, Transaction
from deltalake import Schema as DeltaSchema

from mystocks_dagster.errors import WrongFormat
from mystocks_dagster.lake.layout import YEAR, to_disk
from mystocks_dagster.market.table import Table

#: Name of the application transaction that holds the number.
FORMAT = "mystocks format"
#: What lakes are that were written before there were numbers.
FIRST = 1


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A change of one table that adding a nullable column cannot do.

    Attributes:
        number: 2 for the first one, and one more for each that follows.
        table: The table that it changes.
        about: What it does, in a sentence.
        change: Takes the rows as they are stored, without the partition column, and returns them as they shall be.
    """

    number: int
    table: str
    about: str
    change: Callable[[pl.LazyFrame], pl.LazyFrame]


#: Every migration there ever was, in order; none is ever changed or taken away.
MIGRATIONS: tuple[Migration, ...] = ()


def newest_format() -> int:
    """Return the number that this version of the package writes."""
    return max((one.number for one in MIGRATIONS), default=FIRST)


def format_of(opened: DeltaTable) -> int:
    """Return the number that a table carries."""
    return opened.transaction_version(FORMAT) or FIRST


def stamp(number: int | None = None) -> Transaction:
    """Return what writes the number into a table, together with rows; by default this version's own."""
    return Transaction(FORMAT, newest_format() if number is None else number)


def pending(table: str, number: int) -> list[Migration]:
    """Return the migrations that a table with that number still needs, in order."""
    return sorted((one for one in MIGRATIONS if one.table == table and one.number > number), key=lambda one: one.number)


def check_format(schema: Table, opened: DeltaTable) -> None:
    """Refuse a table that this version of the package would misread, or write wrongly.

    Raises:
        WrongFormat: A newer version wrote it, or it needs a migration first.
    """
    if trouble := format_trouble(schema, opened):
        raise WrongFormat(trouble)


def format_trouble(schema: Table, opened: DeltaTable) -> str:
    """Say why the table cannot be used as it is, with the remedy; empty when it can."""
    number = format_of(opened)
    stored = stored_types(opened)
    unknown = [name for name in stored if name not in schema.dtypes and name != YEAR]
    if number > newest_format():
        return _newer(schema, f"it has format {number}, and this version knows formats up to {newest_format()}")
    if due := pending(schema.name, number):
        older = f"The table {schema.name} was written by an older version of MyStocks and must be changed first"
        return f"{older} ({due[0].about}): mystocks data migrate"
    if unknown:
        return _newer(schema, f"this version does not know its column {', '.join(unknown)}")
    wanted = disk_types(schema)
    other = [name for name, dtype in stored.items() if wanted[name] != dtype]
    lacking = [column.name for column in schema.columns if column.name not in stored and not column.null]
    if other or lacking:
        what = (
            f"its column {other[0]} holds {stored[other[0]]} and not {wanted[other[0]]}"
            if other
            else f"it has no column {lacking[0]}"
        )
        return f"The table {schema.name} was written by another version of MyStocks: {what}, and no migration of this version changes that."
    return ""


def disk_types(schema: Table) -> dict[str, pl.DataType]:
    """Return the types of the table's columns as they are stored."""
    return dict(to_disk(schema, schema.empty()).schema)


def stored_types(opened: DeltaTable) -> dict[str, pl.DataType]:
    """Return the types of the columns that a table has on disk."""
    return dict(pl.Schema(opened.schema()))


def grow(schema: Table, opened: DeltaTable) -> None:
    """Add the nullable columns of the contract that the table does not have yet; what is stored reads as null there."""
    import pyarrow as pa

    stored = {field.name for field in opened.schema().fields}
    lacking = [name for name in schema.dtypes if name not in stored]
    if lacking:
        empty = to_disk(schema, schema.empty()).select(lacking).to_arrow(compat_level=pl.CompatLevel.oldest())
        opened.alter.add_columns(DeltaSchema.from_arrow(pa.schema(empty.schema)).fields)


def _newer(schema: Table, why: str) -> str:
    newer = f"The table {schema.name} was written by a newer version of MyStocks ({why})"
    return f"{newer}: install that version again, or name another lake in MYSTOCKS_LAKE."
