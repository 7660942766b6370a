"""The data files of tables that are written by trading day: one per calendar month, sorted by symbol and date.

polars writes them in a fraction of the time that delta-rs takes. Replacing a day rewrites one month. A reader of one
symbol skips most row groups, because a row group holds few symbols.
"""

import io
import json
import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from mystocks_dagster.lake.contract import is_strictly_sorted
from mystocks_dagster.lake.damage import files_of, upload
from mystocks_dagster.lake.delta import translate_errors
from mystocks_dagster.lake.layout import YEAR, date_column, in_utc, row_order
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.market.table import Table

#: A year whose months have fewer rows on average is one file: small tables are read faster from few files.
ROWS_PER_MONTH = 16_384
#: Rows of a month are sorted by symbol, so that a row group of this size has the bars of some 800 symbols. Measured
#: with 12 million bars: one symbol is read five times as fast as from row groups of a whole month, all rows equally
#: fast, and the files are 3 % larger.
_ROW_GROUP = 16_384
#: The files of zstd are a quarter smaller than those of snappy. Its first level takes a sixth less time to write than
#: its third, polars' own default, and its files are 3 % larger.
_COMPRESSION = "zstd"
_LEVEL = 1
#: Files that are written at the same time: polars uses one core for most of a small file.
WRITERS = min(4, os.cpu_count() or 1)


class DataFile(NamedTuple):
    """A data file of a table, as the transaction log lists it; `first` and `last` are None without statistics."""

    path: str
    size: int
    rows: int | None
    year: int
    first: date | None
    last: date | None


def data_files(opened: DeltaTable, schema: Table) -> list[DataFile]:
    """Return the data files of a table; the year is 0 if it is not partitioned by year."""
    files = pl.DataFrame(opened.get_add_actions(flatten=True))
    if files.is_empty():
        return []
    column = schema.date_column
    bounds = (
        pl.col(name).cast(pl.Date) if name in files.columns else pl.lit(None, pl.Date).alias(name)
        for name in (f"min.{column}", f"max.{column}")
    )
    year = pl.col(f"partition.{YEAR}") if f"partition.{YEAR}" in files.columns else pl.lit(0)
    rows = files.select("path", "size_bytes", "num_records", year.alias(YEAR), *bounds).iter_rows()
    return [DataFile(path, size, count, int(year), first, last) for path, size, count, year, first, last in rows]


def is_large(rows: int, months: int) -> bool:
    """Return whether so many rows of a year, in so many of its months, are stored in one file per month."""
    return rows > months * ROWS_PER_MONTH


def parts(schema: Table, frame: pl.DataFrame, *, by_month: bool | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows of one file after the other, ascending: of a month, or of a year with few rows.

    Args:
        schema: A table with a date column.
        frame: Its rows, in any order; fastest when they are sorted by symbol and date, the order of a file.
        by_month: Whether each month is a file; None decides by the number of rows.
    """
    if frame.is_empty():
        return
    days = frame[date_column(schema)].to_physical().to_numpy()
    first = int(days.min())
    parts_of_days = _parts_of_days(days, first, by_month=by_month)
    numbers = parts_of_days[days - first]
    if not (numbers[1:] >= numbers[:-1]).all():
        frame = _grouped(frame, numbers)
    offset = 0
    for rows in np.bincount(numbers):
        yield frame.slice(offset, rows)
        offset += rows


def _grouped(frame: pl.DataFrame, groups: np.ndarray) -> pl.DataFrame:
    """Return the rows sorted by small numbers; those of one number keep their order."""
    moved = [series.name for series in frame.iter_columns() if not _is_constant(series)]
    # A stable sort of small numbers is a radix sort.
    return frame.with_columns(frame.select(moved)[np.argsort(groups, kind="stable")])


def _is_constant(series: pl.Series) -> bool:
    """Return whether all values are equal, so that they need not be moved; most columns that differ do at once."""
    if series.null_count():
        return series.null_count() == len(series)
    first, middle, last = series[0], series[len(series) // 2], series[-1]
    return bool(first == middle == last and (series == first).all())


def _parts_of_days(days: np.ndarray, first: int, *, by_month: bool | None) -> np.ndarray:
    """Return the number of the part, from 0 on without a gap, to which each day from `first` on belongs."""
    counts = np.bincount(days - first)
    every = (np.arange(len(counts)) + first).astype("datetime64[D]")
    months = every.astype("datetime64[M]").astype(np.int64)
    years = every.astype("datetime64[Y]").astype(np.int64)
    months, years = months - months[0], years - years[0]
    rows_by_month = np.bincount(months, weights=counts)
    used = np.bincount(years[np.flatnonzero(np.diff(months, prepend=-1))], weights=rows_by_month > 0)
    large = (
        np.bincount(years, weights=counts) > ROWS_PER_MONTH * used if by_month is None else np.full(len(used), by_month)
    )
    # The part of a day is its month, or the first month of its year; only parts with rows are numbered.
    january = np.maximum.accumulate(np.where(np.diff(years, prepend=-1) > 0, months, 0))
    part = np.where(large[years], months, january)
    filled = np.bincount(part, weights=counts) > 0
    return (np.cumsum(filled) - 1).astype(np.uint16)[part]


def write_parts(
    uri: str, schema: Table, frame: pl.DataFrame, *, by_month: bool | None = None, data_change: bool = True
) -> list[AddAction]:
    """Write rows as files of the table's layout; return the actions that add them. After an error no file stays.

    Raises:
        LakeUnusable, LakeUnavailable: The files cannot be written, or the disk is full.
    """
    slices = parts(schema, frame, by_month=by_month)
    named = [(f"{YEAR}={_year(schema, part)}/part-{uuid.uuid4()}.zstd.parquet", part) for part in slices]

    def write(item: tuple[str, pl.DataFrame]) -> AddAction:
        return _write_part(uri, schema, *item, data_change=data_change)

    try:
        with translate_errors(uri):
            if len(named) < 2:
                return [write(item) for item in named]
            with ThreadPoolExecutor(WRITERS) as pool:
                return list(pool.map(write, named))
    except BaseException:
        delete_files(uri, [path for path, _ in named])
        raise


def _year(schema: Table, part: pl.DataFrame) -> int:
    return part[date_column(schema)][0].year


def _write_part(uri: str, schema: Table, path: str, part: pl.DataFrame, *, data_change: bool) -> AddAction:
    """Write the rows of one file, which belong to one year, and return the action that adds it to the table."""
    part = _in_order(schema, part)
    year = _year(schema, part)
    part = in_utc(schema, part)
    size = _write(uri, path, part)
    return AddAction(
        path=path,
        size=size,
        partition_values={YEAR: f"{year}"},
        modification_time=_milliseconds(),
        data_change=data_change,
        stats=json.dumps(_statistics(schema, part)),
    )


def write_whole(uri: str, schema: Table, rows: pl.DataFrame) -> AddAction:
    """Write all rows of a table that is not partitioned as one file; return the action that adds it.

    Raises:
        LakeUnusable, LakeUnavailable: The file cannot be written, or the disk is full; then it does not stay.
    """
    path = f"part-{uuid.uuid4()}.parquet"
    try:
        with translate_errors(uri):
            size = _write(uri, path, in_utc(schema, rows))
    except BaseException:
        delete_files(uri, [path])
        raise
    return AddAction(path, size, {}, _milliseconds(), True, json.dumps(_statistics(schema, rows)))


def read_file(uri: str, schema: Table, file: DataFile, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a data file as the contract has its columns; a column that the file lacks is null."""
    rows = pl.read_parquet(io.BytesIO(_read(uri, file.path)), columns=columns)
    missing = (
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in schema.dtypes.items()
        if name not in rows.columns and columns is None
    )
    return rows.with_columns(*missing).select(
        pl.col(name).cast(schema.dtypes[name]) for name in columns or schema.dtypes
    )


def removal(file: DataFile, *, data_change: bool = True) -> RemoveAction:
    """Return the action that removes a file from the table."""
    partition: dict[str, str | None] = {YEAR: f"{file.year}"} if file.year else {}
    return RemoveAction(file.path, data_change, _milliseconds(), file.size, partition)


def delete_files(uri: str, paths: list[str]) -> None:
    """Delete files to which no commit refers; those that cannot be deleted are left to `Lake.vacuum`."""
    folder = local_path(uri)
    for path in paths:
        with suppress(OSError):
            Path(folder, path).unlink() if folder is not None else files_of(uri).delete_file(path)


def _in_order(schema: Table, part: pl.DataFrame) -> pl.DataFrame:
    """Return the rows sorted by symbol and date (in general: by the key, with the date last)."""
    order = row_order(schema)
    if is_strictly_sorted(part, order):
        return part
    if order == ["symbol", date_column(schema)]:
        part = part[_by_symbol(part["symbol"])]
        if is_strictly_sorted(part, order):
            return part
    return part.sort(order)


def _by_symbol(symbols: pl.Series) -> np.ndarray:
    """Return the positions of the rows sorted by symbol, in their order within a symbol; strings take twice as long."""
    categories = symbols.cast(pl.Categorical)
    names = categories.unique()
    codes = names.to_physical().to_numpy()
    ranks = np.zeros(int(codes.max()) + 1, dtype=np.uint16 if len(codes) < 2**16 else np.uint32)
    ranks[codes[names.cast(pl.String).arg_sort().to_numpy()]] = np.arange(len(codes))
    return np.argsort(ranks[categories.to_physical().to_numpy()], kind="stable")


def _read(uri: str, path: str) -> bytes:
    folder = local_path(uri)
    if folder is not None:
        return Path(folder, path).read_bytes()
    with files_of(uri).open_input_file(path) as file:
        return file.read()


def _write(uri: str, path: str, rows: pl.DataFrame) -> int:
    """Write a Parquet file below the table and return its size in bytes."""
    # Binary columns are floats of a state: zstd takes 35 of 45 ms for them, and a quarter off their size.
    compression: Any = (
        {"compression": "uncompressed"}
        if pl.Binary in rows.dtypes
        else {"compression": _COMPRESSION, "compression_level": _LEVEL}
    )
    folder = local_path(uri)
    if folder is not None:
        target = Path(folder, path)
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as file:
            rows.write_parquet(file, row_group_size=_ROW_GROUP, **compression)
        return target.stat().st_size
    content = io.BytesIO()
    rows.write_parquet(content, row_group_size=_ROW_GROUP, **compression)
    size = content.tell()
    content.seek(0)
    upload(uri, path, content)
    return size


def _statistics(schema: Table, rows: pl.DataFrame) -> dict[str, Any]:
    """Return Delta's statistics: bounds of the key's texts and days, by which readers skip files, and null counts."""
    bounded = [name for name in schema.key if schema.dtypes[name] in (pl.String, pl.Date)]
    smallest = rows.select(pl.col(bounded).min()).row(0, named=True)
    largest = rows.select(pl.col(bounded).max()).row(0, named=True)
    return {
        "numRecords": rows.height,
        "minValues": {name: f"{value}" for name, value in smallest.items() if value is not None},
        "maxValues": {name: f"{value}" for name, value in largest.items() if value is not None},
        "nullCount": rows.null_count().row(0, named=True),
    }


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
