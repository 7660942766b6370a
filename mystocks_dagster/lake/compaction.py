"""Compact a table: merge the small files of daily writes, and return stray rows to the file of their month."""

from collections.abc import Iterator, Sequence

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.lake import delta
from mystocks_dagster.lake.data_files import DataFile, data_files, is_large, read_file, removal, write_parts
from mystocks_dagster.lake.formats import format_trouble, grow
from mystocks_dagster.lake.layout import WATERMARKS_ONLY
from mystocks_dagster.lake.replacement import commit_files
from mystocks_dagster.market.table import Table


def compact(uri: str, schema: Table) -> None:
    """Merge the small files of a table into few; the rows stay the same.

    A table that is written by trading day gets one file per month (or per year, when it has few rows), with one commit
    per year. A table of another format version is left as it is.

    Raises:
        LakeUnavailable: The table cannot be written.
        TableDamaged: A file that must be read is missing or damaged.
    """
    opened = delta.open_table(uri)
    if opened is None or format_trouble(schema, opened):
        return
    if not schema.partitioned:
        delta.commit(uri, _optimize)
        return
    for year in sorted({file.year for file in data_files(opened, schema)}):
        delta.commit(uri, lambda existing, year=year: _compact_year(uri, schema, existing, year))


def _optimize(existing: DeltaTable | None) -> None:
    if existing is not None:
        existing.optimize.compact()


def _compact_year(uri: str, schema: Table, existing: DeltaTable | None, year: int) -> None:
    if existing is None:
        return
    files = [file for file in data_files(existing, schema) if file.year == year]
    months = {month for file in files for month in _months(file)}
    by_month = is_large(sum(file.rows or 0 for file in files), len(months))
    groups = [group for group in _groups(files, by_month=by_month) if not _is_in_place(group, by_month=by_month)]
    if not groups:
        return
    grow(schema, existing)
    added = []
    for group in groups:
        rows = pl.concat([read_file(uri, schema, file) for file in group])
        added += write_parts(uri, schema, rows, by_month=by_month, data_change=False)
    removed = [removal(file, data_change=False) for group in groups for file in group]
    commit_files(existing, added, removed, {}, {WATERMARKS_ONLY: "true"})


def _groups(files: Sequence[DataFile], *, by_month: bool) -> Iterator[list[DataFile]]:
    """Yield the files that share a month, directly or through others; all of the year if it is one file."""
    group: list[DataFile] = []
    last = 0
    for file in sorted(files, key=lambda file: _months(file)[0]):
        if group and by_month and _months(file)[0] > last:
            yield group
            group = []
        group.append(file)
        last = max(last, _months(file)[-1])
    if group:
        yield group


def _is_in_place(group: Sequence[DataFile], *, by_month: bool) -> bool:
    return len(group) == 1 and (not by_month or len(_months(group[0])) == 1)


def _months(file: DataFile) -> range:
    """Return the months of the year from a file's first to its last row; all when they are not known."""
    first, last = (file.first.month, file.last.month) if file.first and file.last else (1, 12)
    return range(first, last + 1)
