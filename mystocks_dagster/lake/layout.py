"""How a table is stored on disk: partition column, time zones, and the world in its name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.table import MOMENT, Table

if TYPE_CHECKING:
    import pyarrow as pa

#: Name on disk of the partition column of tables in files of months; readers of the lake do not return it.
YEAR = "year"
#: Operations that change no row.
HOUSEKEEPING = ("OPTIMIZE", "VACUUM START", "VACUUM END", "ADD COLUMN", "UPDATE FIELD METADATA", "CREATE TABLE")
#: Metadata key of a commit that stores only watermarks (see `lake.watermarks`) or a format number, and no rows.
WATERMARKS_ONLY = "marks_only"
#: Name of the application transaction that counts how often a table was restored to an earlier version.
RESTORES = "mystocks restores"
#: Rows passed to delta-rs at a time.
_BATCH = 65_536


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """Size and state of one table.

    Attributes:
        table: Its name.
        rows: Number of rows of its newest version; None when its log cannot be read.
        bytes: Size of the files of its newest version.
        updated: When rows were last written, in Shanghai's time zone.
        trouble: Why it cannot be used, with the remedy; empty when it can be used.
    """

    table: str
    rows: int | None = None
    bytes: int | None = None
    updated: datetime | None = None
    trouble: str = ""


def table_info(name: str, opened: DeltaTable) -> TableInfo:
    """Return size and state of a table from its transaction log; no data file is opened."""
    files = _files(opened)
    writes = (entry for entry in opened.history() if changes_rows(entry))
    stamp = next((entry["timestamp"] for entry in writes if "timestamp" in entry), None)
    return TableInfo(
        table=name,
        rows=int(files["num_records"].sum()),
        bytes=int(files["size_bytes"].sum()),
        updated=commit_time(stamp),
    )


def commit_time(timestamp: int | None) -> datetime | None:
    """Return the time of a commit from its timestamp in milliseconds, in Shanghai's time zone."""
    return datetime.fromtimestamp(timestamp / 1000, UTC).astimezone(SHANGHAI) if timestamp else None


def changes_rows(commit: Mapping[str, Any]) -> bool:
    """Return whether a commit, as Delta's history lists it, changed rows."""
    return commit.get("operation") not in HOUSEKEEPING and WATERMARKS_ONLY not in commit


def row_count(opened: DeltaTable) -> int:
    """Return the number of rows of a table from its transaction log; no data file is opened."""
    return int(_files(opened)["num_records"].sum())


def _files(opened: DeltaTable) -> pl.DataFrame:
    return pl.DataFrame(opened.get_add_actions(flatten=True))


def world_name(world: str, schema: Table) -> str:
    """Return the Delta name of a table, which carries its world: delta-rs writes it together with the first rows."""
    return f"{world}/{schema.name}"


def world_of(opened: DeltaTable) -> str:
    """Return the world that a table belongs to."""
    return (opened.metadata().name or "").rpartition("/")[0]


def watermark_name(computed: DeltaTable, name: str) -> str:
    """Return the name under which a watermark is stored; each restore changes it, which voids older watermarks."""
    restores = computed.transaction_version(RESTORES)
    return f"{name} after restore {restores}" if restores else name


def date_column(schema: Table) -> str:
    """Return the date column of a table.

    Raises:
        UnknownName: The table has no date column.
    """
    if schema.date_column is None:
        raise UnknownName(f"{schema.name} has no date column, so its rows cannot be selected by day.")
    return schema.date_column


def check_columns(schema: Table, names: Sequence[str]) -> None:
    """Raise an error for columns that the table does not have.

    Raises:
        UnknownName: The table has no such column.
    """
    for name in names:
        if name not in schema.dtypes:
            raise UnknownName(f"{schema.name} has no column {name!r}; its columns are {', '.join(schema.dtypes)}.")


def row_order(schema: Table) -> list[str]:
    """Return the columns by which the rows of a data file are sorted: the key, with the date last."""
    others = [name for name in schema.key if name != schema.date_column]
    return [*others, date_column(schema)]


def to_disk(schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame as Delta stores it: moments in UTC, and the year of partitioned tables."""
    year = [pl.col(date_column(schema)).dt.year().alias(YEAR)] if schema.partitioned else []
    return in_utc(schema, frame).with_columns(*year)


def in_utc(schema: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its moments in UTC, as a data file has them."""
    moments = [name for name, dtype in schema.dtypes.items() if dtype == MOMENT]
    return frame.with_columns(pl.col(name).dt.convert_time_zone("UTC") for name in moments)


def stream(frame: pl.DataFrame) -> "pa.RecordBatchReader":
    """Return the rows in small batches; delta-rs would copy a whole frame while it writes."""
    import pyarrow as pa

    plain = pl.CompatLevel.oldest()
    schema = frame.clear().to_arrow(compat_level=plain).schema
    tables = (part.to_arrow(compat_level=plain) for part in frame.iter_slices(_BATCH))
    return pa.RecordBatchReader.from_batches(schema, chain.from_iterable(table.to_batches() for table in tables))


def from_disk(schema: Table, name: str, stored: Collection[str]) -> pl.Expr:
    """Return a column as readers get it: moments in Shanghai's time zone, null when the column is not `stored` yet."""
    if name not in stored:
        # As many nulls as there are rows, even when no stored column is read with it.
        return pl.repeat(None, pl.len(), dtype=schema.dtypes[name]).alias(name)
    return pl.col(name).dt.convert_time_zone(SHANGHAI.key) if schema.dtypes[name] == MOMENT else pl.col(name)


def covers(schema: Table, days: Sequence[date], alias: str = "") -> str:
    """Return the SQL condition that a row belongs to one of those days; its bounds let Delta skip whole files."""
    column = f"{alias}{date_column(schema)}"
    parts = [f"{column} >= DATE '{min(days)}'", f"{column} <= DATE '{max(days)}'"]
    if schema.partitioned:
        years = ", ".join(f"{year}" for year in sorted({day.year for day in days}))
        parts.insert(0, f"{alias}{YEAR} IN ({years})")
    listed = ", ".join(f"DATE '{day}'" for day in sorted(set(days)))
    return " AND ".join([*parts, f"{column} IN ({listed})"])
