"""The rows of a table that differ between two of its versions, found by comparing only the files that changed."""

from collections.abc import Iterator, Sequence
from datetime import date

import polars as pl
from deltalake import DeltaTable

from mystocks_dagster.errors import LakeUnavailable, TableDamaged
from mystocks_dagster.lake.data_files import DataFile, data_files, read_file
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.layout import date_column
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version, changed_spans
from mystocks_dagster.market.table import Table
from mystocks_dagster.market.tables import table as table_of


def changed_rows(
    lake: Lake, then: int, now: Version, columns: Sequence[str], *, until: date = date.max, most: int | None = None
) -> pl.DataFrame | None:
    """Return `symbol` and first changed `date` of the symbols of which a row before `until` was added, lost or changed.

    Args:
        lake: Where the table is.
        then: The earlier version.
        now: The later version.
        columns: The values that count; a row in which others changed is the same.
        until: Rows from this day on do not count.
        most: More rows than that are not compared.

    Returns:
        One row per symbol, which has its newest code; None if what was replaced can no longer be read, or if too many
        rows would have to be compared.
    """
    schema = table_of(now.table).stored
    spans = changed_spans(lake, then, now)
    if spans is None:
        return None
    differing = [_differing(before, after, schema, until) for before, after in spans]
    if most is not None and sum(file.rows or 0 for removed, added in differing for file in (*removed, *added)) > most:
        return None
    try:
        with translate_errors(f"{lake.location}/{now.table}"):
            parts = [_unlike(lake, schema, removed, added, columns, until) for removed, added in differing]
    except (LakeUnavailable, TableDamaged):
        return None
    rows = pl.concat([schema.empty().select("symbol", date_column(schema)), *parts])
    changes = lake.code_changes()
    return _first_days(changes.with_newest(rows, ["symbol", date_column(schema)]) if changes else rows, schema)


def _first_days(rows: pl.DataFrame, schema: Table) -> pl.DataFrame:
    return rows.group_by("symbol").agg(date=pl.col(date_column(schema)).min())


def _differing(
    before: DeltaTable, after: DeltaTable, schema: Table, until: date
) -> tuple[list[DataFile], list[DataFile]]:
    """Return the files that only one of the versions has, and that may hold a day before `until`."""
    old, new = ({file.path: file for file in data_files(opened, schema)} for opened in (before, after))
    removed, added = (
        [file for path, file in mine.items() if path not in others and (file.first is None or file.first < until)]
        for mine, others in ((old, new), (new, old))
    )
    return removed, added


def _unlike(
    lake: Lake,
    schema: Table,
    removed: Sequence[DataFile],
    added: Sequence[DataFile],
    columns: Sequence[str],
    until: date,
) -> pl.DataFrame:
    """Return `symbol` and the day of the rows that the files have on one side only; month by month, to save memory."""
    day = date_column(schema)
    names = list(dict.fromkeys(["symbol", day, *columns]))
    parts = []
    for old, new in _overlapping(removed, added):
        frames = [_read(lake, schema, files, names).filter(pl.col(day) < until) for files in (old, new)]
        apart = (
            frames[index].join(frames[1 - index], on=names, how="anti", nulls_equal=True).select("symbol", day)
            for index in (0, 1)
        )
        parts.append(pl.concat(apart))
    return pl.concat(parts) if parts else schema.empty().select("symbol", day)


def _overlapping(
    removed: Sequence[DataFile], added: Sequence[DataFile]
) -> Iterator[tuple[list[DataFile], list[DataFile]]]:
    """Yield groups of files whose days overlap: a row of one group can be in no other."""
    first, last = date.min, date.max
    ordered = sorted(
        ((file.first or first, file.last or last, side, file) for side in (0, 1) for file in (removed, added)[side]),
        key=lambda item: item[:2],
    )
    group: tuple[list[DataFile], list[DataFile]] = ([], [])
    end = date.min
    for start, stop, side, file in ordered:
        if start > end and (group[0] or group[1]):
            yield group
            group = ([], [])
        group[side].append(file)
        end = max(end, stop)
    if group[0] or group[1]:
        yield group


def _read(lake: Lake, schema: Table, files: Sequence[DataFile], names: list[str]) -> pl.DataFrame:
    uri = f"{lake.location}/{schema.name}"
    rows = [read_file(uri, schema, file, names) for file in files]
    return pl.concat(rows) if rows else schema.empty().select(names)
