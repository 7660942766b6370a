"""What a computed table was computed from, and since which day that has changed; read from transaction logs, never from data.

A computed table carries marks: per piece of work and input, the input's version that the work has seen. They are
Delta's
application transactions, written by the commit that writes the rows, so that rows and marks cannot disagree.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import LakeUnavailable, TableDamaged, TableMissing
from mystocks_dagster.lake.layout import HOUSEKEEPING, WATERMARKS_ONLY, watermark_name
from mystocks_dagster.lake.store import Lake

#: Nothing is known of earlier work, so everything is to be done.
BEGINNING = date.min


@dataclass(frozen=True)
class Version:
    """One version of a table; a table that was deleted and made again has another `id`."""

    table: str
    id: str
    number: int


def versions(lake: Lake, tables: Sequence[str]) -> tuple[Version, ...]:
    """Return the newest versions; ask before reading, so that what is written meanwhile counts as new the next time.

    Raises:
        TableMissing: Nothing has written one of them yet.
    """
    return tuple(_newest(lake, table) for table in tables)


def watermarks(work: Collection[str], inputs: Sequence[Version]) -> dict[str, int]:
    """Return the marks that say: this work has seen these versions of its inputs."""
    return {_name(piece, seen): seen.number for piece in work for seen in inputs}


def stale_since(lake: Lake, table: str, work: Collection[str], inputs: Sequence[Version]) -> date | None:
    """Return the first day whose rows in an input may have changed since all of `work` was done.

    A whole file counts as changed when one of its rows has. None means that nothing has changed; `BEGINNING` that the work
    was
    never done, or that the log does not reach back to it.
    """
    computed = lake.log(table)
    if computed is None:
        return BEGINNING
    seen = {
        (now, computed.transaction_version(watermark_name(computed, _name(piece, now)))) for piece in work for now in inputs
    }
    changes = (_first_change(lake, number, now) for now, number in seen)
    return min((day for day in changes if day is not None), default=None)


def _newest(lake: Lake, table: str) -> Version:
    opened = lake.log(table)
    if opened is None:
        raise TableMissing(f"There is no table {table} in the lake {lake.location} yet; run the task that writes it.")
    return Version(table, str(opened.metadata().id), opened.version())


def _name(piece: str, seen: Version) -> str:
    return f"{piece} of {seen.table} {seen.id}"


def _first_change(lake: Lake, then: int | None, now: Version) -> date | None:
    """Return the first day of the files that the versions after `then` have added or removed, compaction set aside."""
    if then == now.number:
        return None
    newest = lake.log(now.table, now.number)
    if then is None or then > now.number or newest is None:
        return BEGINNING
    said = {entry["version"]: entry for entry in newest.history(now.number - then)}
    if any(number not in said for number in range(then + 1, now.number + 1)):
        return BEGINNING
    # Compaction adds and removes files without changing a row: compare what lies between.
    idle = [number for number in said if said[number].get("operation") in HOUSEKEEPING or WATERMARKS_ONLY in said[number]]
    starts, ends = sorted([then, *idle]), sorted([*(number - 1 for number in idle), now.number])
    try:
        stretches = [
            (lake.log(now.table, one), lake.log(now.table, other))
            for one, other in zip(starts, ends, strict=True)
            if one < other
        ]
    except (LakeUnavailable, TableDamaged):
        return BEGINNING
    changes = (_first_day(one, other) for one, other in stretches if one and other)
    return min((day for day in changes if day is not None), default=None)


def _first_day(one: DeltaTable, other: DeltaTable) -> date | None:
    changed = pl.concat([_files(one), _files(other)]).filter(pl.col("path").is_unique())["min.date"]
    return BEGINNING if changed.null_count() else min(changed.to_list(), default=None)


def _files(opened: DeltaTable) -> pl.DataFrame:
    """Return `path` and first day (null when not known) of the files of a version."""
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    first = pl.col("min.date") if "min.date" in files.columns else pl.lit(None)
    return files.select("path", first.cast(pl.Date).alias("min.date"))
