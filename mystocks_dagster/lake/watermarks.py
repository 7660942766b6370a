"""Watermarks: from which versions of its inputs a table was computed, and since which day these have changed.

A computed table carries one watermark per piece of work and input: the version of the input that was read. It is one
of Delta's application transactions, written by the commit that writes the rows, so that rows and watermarks agree.
Only transaction logs are read, never data.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import LakeUnavailable, TableDamaged, TableMissing
from mystocks_dagster.lake.layout import changes_rows, watermark_name
from mystocks_dagster.lake.store import Lake

#: Everything must be computed: no watermark is known.
BEGINNING = date.min
#: The works of the newest write of all.
_LAST = "writers"
#: The writer of what was written in part, or by work that is not the usual one.
NOBODY = ""
#: Stands for whatever work was done last, so that a reader need not know its name.
_ANY = "any work"


@dataclass(frozen=True)
class Version:
    """One version of a table; a table that was deleted and created again has another `id`."""

    table: str
    id: str
    number: int


#: Takes the version that was read then (None: none) and the one of now; returns the first day that changed.
FirstChange = Callable[[int | None, Version], date | None]


def versions(lake: Lake, tables: Sequence[str]) -> tuple[Version, ...]:
    """Return the newest versions; call it before reading, so that later writes count as new the next time.

    Raises:
        TableMissing: A table does not exist yet.
    """
    return tuple(_newest(lake, table) for table in tables)


def watermarks(work: Collection[str], inputs: Sequence[Version]) -> dict[str, int]:
    """Return the watermarks of work that has read these versions of its inputs."""
    return {_name(piece, version): version.number for piece, version in product((*work, _ANY), inputs)}


def writers(works: Mapping[str, str]) -> dict[str, int]:
    """Return the watermarks that name the work by which each part of a table, such as a column, was written last.

    Work that was done once has its own watermarks for good. Where other work has written the same part since, the rows
    are no longer those of the first.
    """
    return {_LAST: _digest_of_all(works), **{_writer(part): _digest(work) for part, work in works.items()}}


def wrote_last(computed: DeltaTable, works: Mapping[str, str], *, unknown: bool = True) -> set[str]:
    """Return the parts of a table that were written last by these works; with `unknown` also where no writer is known.

    To look up one watermark takes up to half a millisecond. Where the last work was this one, one is enough.
    """
    if are_newest(computed, works):
        return {*works}
    seen = {part: computed.transaction_version(watermark_name(computed, _writer(part))) for part in works}
    return {part for part, work in works.items() if (unknown if seen[part] is None else seen[part] == _digest(work))}


def are_newest(computed: DeltaTable, works: Mapping[str, str]) -> bool:
    """Return whether these works, and no others, are those of the newest write that named its works."""
    return computed.transaction_version(watermark_name(computed, _LAST)) == _digest_of_all(works)


def _writer(part: str) -> str:
    return f"writer:{part}"


def _digest(work: str) -> int:
    return int.from_bytes(hashlib.sha256(work.encode()).digest()[:7]) if work else 0


def _digest_of_all(works: Mapping[str, str]) -> int:
    return _digest("\n".join(f"{part} {work}" for part, work in sorted(works.items())))


def stale_since(
    lake: Lake, table: str, work: Collection[str], inputs: Sequence[Version], changes: FirstChange | None = None
) -> date | None:
    """Return the first day whose rows in an input may have changed since all of `work` was done.

    A whole file counts as changed when one of its rows has changed. None means that nothing has changed; `BEGINNING`
    that the work was never done, or that the log does not reach back to it.

    Args:
        lake: Where the tables are.
        table: The computed table.
        work: The pieces of work.
        inputs: The versions of the inputs now.
        changes: `first_change` of this lake; one that remembers what it returned serves works of the same inputs.
    """
    changes = changes or partial(first_change, lake)
    computed = lake.log(table)
    if computed is None:
        return BEGINNING
    seen = {(version, seen_version(computed, piece, version)) for piece, version in product(work, inputs)}
    with ThreadPoolExecutor(max(1, len(seen))) as pool:  # each opens a log
        days = list(pool.map(lambda item: changes(item[1], item[0]), seen))
    return min((day for day in days if day is not None), default=None)


def seen_version(computed: DeltaTable, piece: str, version: Version) -> int | None:
    """Return the version of an input that a computed table's piece of work has read; None if the work was not done."""
    return computed.transaction_version(watermark_name(computed, _name(piece, version)))


def last_seen(lake: Lake, table: str, version: Version) -> int | None:
    """Return the number of the version of an input that a computed table has seen last; None if none is known."""
    computed = lake.log(table)
    return None if computed is None else seen_version(computed, _ANY, version)


def _newest(lake: Lake, table: str) -> Version:
    opened = lake.log(table)
    if opened is None:
        raise TableMissing(f"There is no table {table} in the lake {lake.location} yet; run the task that writes it.")
    return Version(table, str(opened.metadata().id), opened.version())


def _name(piece: str, version: Version) -> str:
    return f"{piece} of {version.table} {version.id}"


def changed_spans(lake: Lake, then: int, now: Version) -> list[tuple[DeltaTable, DeltaTable]] | None:
    """Return pairs of versions between which rows changed; compaction, which changes none, lies between the pairs.

    Returns:
        The opened versions before and after; None if the log does not reach back to `then`, or the table is another.
    """
    newest = lake.log(now.table, now.number)
    if then > now.number or newest is None or f"{newest.metadata().id}" != now.id:
        return None
    commits = {entry["version"]: entry for entry in newest.history(now.number - then)} if then < now.number else {}
    if any(number not in commits for number in range(then + 1, now.number + 1)):
        return None
    idle = [number for number, commit in commits.items() if not changes_rows(commit)]
    starts, ends = sorted([then, *idle]), sorted([*(number - 1 for number in idle), now.number])
    try:
        spans = [
            (lake.log(now.table, start), newest if end == now.number else lake.log(now.table, end))
            for start, end in zip(starts, ends, strict=True)
            if start < end
        ]
    except (LakeUnavailable, TableDamaged):
        return None
    return [(start, end) for start, end in spans if start and end]


def first_change(lake: Lake, then: int | None, now: Version) -> date | None:
    """Return the first day of the files that versions after `then` added or removed, not counting compaction.

    None means that no row has changed; `BEGINNING` that the day is not known.
    """
    if then == now.number:
        return None
    spans = changed_spans(lake, then, now) if then is not None else None
    if spans is None:
        return BEGINNING
    changes = (_first_day(start, end) for start, end in spans)
    return min((day for day in changes if day is not None), default=None)


def _first_day(start: DeltaTable, end: DeltaTable) -> date | None:
    changed = pl.concat([_files(start), _files(end)]).filter(pl.col("path").is_unique())["min.date"]
    return BEGINNING if changed.null_count() else min(changed.to_list(), default=None)


def _files(opened: DeltaTable) -> pl.DataFrame:
    """Return `path` and first day (null when unknown) of the files of a version."""
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    first = pl.col("min.date") if "min.date" in files.columns else pl.lit(None)
    return files.select("path", first.cast(pl.Date).alias("min.date"))
