"""How a table lies on disk: its partition column, its instants, and the world that its name carries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.table import MOMENT, Table

if TYPE_CHECKING:
    import pyarrow as pa

#: Name on disk of the partition column of `by_day` tables; no reader of ours shows it.
YEAR = "year"
#: Operations that change no row.
HOUSEKEEPING = ("OPTIMIZE", "VACUUM START", "VACUUM END", "ADD COLUMN", "CREATE TABLE")
#: What a commit says of itself that writes down marks (see `lake.marks`) and no row.
MARKS_ONLY = "marks_only"
#: Name of the application transaction that counts how often a table was put back to an earlier version.
RESTORES = "mystocks restores"
#: Rows handed to delta-rs at a time.
_BATCH = 65_536


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """What there is of one table.

    Attributes:
        table: Its name.
        rows: Of its newest version; None when its log cannot be read.
        bytes: Of the files of its newest version.
        updated: When rows were last written, in Shanghai.
        trouble: Why it cannot be used, with the remedy; empty when it can.
    """

    table: str
    rows: int | None = None
    bytes: int | None = None
    updated: datetime | None = None
    trouble: str = ""


def table_info(name: str, opened: DeltaTable) -> TableInfo:
    """Sum up a table from its transaction log; no data file is opened."""
    files = _files(opened)
    writes = (
        entry for entry in opened.history() if entry.get("operation") not in HOUSEKEEPING and MARKS_ONLY not in entry
    )
    stamp = next((entry["timestamp"] for entry in writes if "timestamp" in entry), None)
    return TableInfo(
        table=name,
        rows=int(files["num_records"].sum()),
        bytes=int(files["size_bytes"].sum()),
        updated=datetime.fromtimestamp(stamp / 1000, UTC).astimezone(SHANGHAI) if stamp else None,
    )


def row_count(opened: DeltaTable) -> int:
    """Return the number of rows of a table from its transaction log; no data file is opened."""
    return int(_files(opened)["num_records"].sum())


def _files(opened: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(opened.get_add_actions(flatten=True))


def world_name(world: str, schema: Table) -> str:
    """Return the name that a table gets: the one free text that delta-rs writes together with the first rows."""
    return f"{world}/{schema.name}"


def world_of(opened: DeltaTable) -> str:
    """Return the world that a table was made in."""
    return (opened.metadata().name or "").rpartition("/")[0]


def mark_name(computed: DeltaTable, name: str) -> str:
    """Return the name under which a mark is kept: what was noted before a table was restored says nothing of its rows now."""
    restores = computed.transaction_version(RESTORES)
    return f"{name} after restore {restores}" if restores else name


def date_column(schema: Table) -> str:
    """Return the column that holds the table's days.

    Raises:
        UnknownName: It has none.
    """
    if schema.date_column is None:
        raise UnknownName(f"{schema.name} has no date column, so days mean nothing to it.")
    return schema.date_column


def check_columns(schema: Table, names: Sequence[str]) -> None:
    """Refuse columns that the table does not have.

    Raises:
        UnknownName: One of them is none of its columns.
    """
    for name in names:
        if name not in schema.dtypes:
            raise UnknownName(f"{schema.name} has no column {name!r}; its columns are {', '.join(schema.dtypes)}.")


def to_disk(schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return what Delta stores: instants in UTC, and the year that `by_day` tables are partitioned by."""
    moments = [pl.col(name).dt.convert_time_zone("UTC") for name, dtype in schema.dtypes.items() if dtype == MOMENT]
    year = [pl.col(date_column(schema)).dt.year().alias(YEAR)] if schema.by_day else []
    return frame.with_columns(*moments, *year)


def stream(frame: pl.DataFrame) -> "pa.RecordBatchReader":
    """Return the rows in small batches; given a whole frame, delta-rs keeps a copy of all of it while it writes."""
    import pyarrow as pa

    plain = pl.CompatLevel.oldest()
    schema = frame.clear().to_arrow(compat_level=plain).schema
    parts = frame.iter_slices(_BATCH)
    return pa.RecordBatchReader.from_batches(
        schema, (batch for part in parts for batch in part.to_arrow(compat_level=plain).to_batches())
    )


def from_disk(schema: Table, name: str, stored: Collection[str]) -> pl.Expr:
    """Return a column as readers see it: instants in Shanghai's time zone, nulls where it is not `stored` yet."""
    if name not in stored:
        return pl.lit(None, dtype=schema.dtypes[name]).alias(name)
    return pl.col(name).dt.convert_time_zone(SHANGHAI.key) if schema.dtypes[name] == MOMENT else pl.col(name)


def covers(schema: Table, days: Sequence[date], alias: str = "") -> str:
    """Return the SQL condition that a row is of one of those days; the bounds let whole files be left alone."""
    column = f"{alias}{date_column(schema)}"
    parts = [f"{column} >= DATE '{min(days)}'", f"{column} <= DATE '{max(days)}'"]
    if schema.by_day:
        parts.insert(0, f"{alias}{YEAR} IN ({', '.join(map(str, sorted({day.year for day in days})))})")
    listed = ", ".join(f"DATE '{day}'" for day in sorted(set(days)))
    return " AND ".join([*parts, f"{column} IN ({listed})"])
