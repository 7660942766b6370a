"""Check a frame against its table's contract before every write."""

import math
from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from mystocks_dagster.errors import ContractBroken
from mystocks_dagster.market.table import MOMENT, PROVENANCE, Column, Table
from mystocks_dagster.market.value_rules import broken_rule

#: A frame of fewer pieces, each sorted and of other days, is checked piece by piece.
_FEW_PIECES = 64


def conform(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` with the columns and types of its table's contract, or raise an error.

    The provenance of a row may be missing: it is null then.

    Types are cast only without loss: 3 becomes 3.0 and 3.0 becomes 3, but 3.5 never becomes 3.

    Raises:
        ContractBroken: A column is missing or unknown, a value does not fit its type, a value is null or not finite
            where it must not be, a key is duplicated, or a computed row breaks a rule of the table. The message
            names table and column and shows an example row.
    """
    absent = [item for item in PROVENANCE if item.name in table.dtypes and item.null and item.name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, item.dtype).alias(item.name) for item in absent)
    _check_columns(table, frame)
    frame = frame.select(_cast(table, frame, column) for column in table.columns)
    for column in table.columns:
        _check_values(table, frame, column)
    if table.key and not any(_keys_differ(table, frame, names) for names in _orders(table)):
        _check_keys(table, frame)
    if broken := broken_rule(table, frame):
        rule, bad = broken
        raise ContractBroken(f"{table.name}: {rule.name}: {rule.reason}, in {bad.height} rows, e.g. {_example(bad)}.")
    return frame


def _check_keys(table: Table, frame: pl.DataFrame) -> None:
    duplicates = frame.filter(pl.struct(table.key).is_duplicated())
    if duplicates.height:
        key = ", ".join(table.key)
        raise ContractBroken(
            f"{table.name}: {duplicates.height} rows have a duplicate key ({key}), e.g. {_example(duplicates)}."
        )


def _check_columns(table: Table, frame: pl.DataFrame) -> None:
    expected = {column.name for column in table.columns}
    missing = [column.name for column in table.columns if column.name not in frame.columns]
    unknown = [name for name in frame.columns if name not in expected]
    if missing or unknown:
        kinds = (("missing", missing), ("unknown", unknown))
        faults = " and ".join(f"{kind} column {', '.join(names)}" for kind, names in kinds if names)
        columns = ", ".join(column.name for column in table.columns)
        raise ContractBroken(f"{table.name}: {faults}; its columns are {columns}.")


def _cast(table: Table, frame: pl.DataFrame, column: Column) -> pl.Series:
    series = frame[column.name]
    if series.dtype == column.dtype:
        return series
    if not _is_castable(series.dtype, column.dtype):
        raise ContractBroken(
            f"{table.name}.{column.name}: has type {series.dtype} instead of {column.dtype} ({column.unit})."
        )
    cast = series.cast(column.dtype, strict=False)
    lost = (
        cast.is_null() != series.is_null()
        if series.dtype == pl.Null
        else ~cast.cast(series.dtype, strict=False).eq_missing(series)
    )
    if lost.any():
        raise ContractBroken(
            f"{table.name}.{column.name}: a value does not fit {column.dtype}, e.g. {_example(frame.filter(lost))}."
        )
    return cast


def _is_castable(stored: pl.DataType, expected: pl.DataType | type[pl.DataType]) -> bool:
    if stored == pl.Null:
        return True
    if expected in (pl.Float64, pl.Int64):
        return stored.is_numeric()
    if expected == pl.String:
        return isinstance(stored, pl.Categorical | pl.Enum)
    return expected == MOMENT and isinstance(stored, pl.Datetime) and stored.time_zone is not None


def _check_values(table: Table, frame: pl.DataFrame, column: Column) -> None:
    series = frame[column.name]
    if not column.null and series.null_count():
        raise ContractBroken(
            f"{table.name}.{column.name}: {series.null_count()} of {frame.height} values are null, "
            f"which is not allowed, e.g. {_example(frame.filter(series.is_null()))}."
        )
    if column.dtype == pl.Float64 and not _is_finite(series):
        infinite = frame.filter(~series.is_finite().fill_null(value=True))
        raise ContractBroken(f"{table.name}.{column.name}: a value is not a finite number, e.g. {_example(infinite)}.")


def _is_finite(series: pl.Series) -> bool:
    """Return whether all values are finite or null; a finite sum, which takes a fifth of the time, proves it."""
    return math.isfinite(series.sum()) or bool(series.is_finite().fill_null(value=True).all())


def is_strictly_sorted(frame: pl.DataFrame, names: Sequence[str]) -> bool:
    """Return whether these columns, compared as tuples, increase from row to row."""
    return frame.height < 2 or bool(_rises(frame, names).all())


def _rises(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Return for each row but the first whether these columns, as tuples, are above those of the row before."""
    rises = pl.lit(value=False)
    for name in reversed(names):
        now, last = pl.col(name).slice(1), pl.col(name).slice(0, pl.len() - 1)
        rises = (now > last) | ((now == last) & rises)
    return frame.select(rises.alias("rises")).to_series()


def _keys_differ(table: Table, frame: pl.DataFrame, names: Sequence[str]) -> bool:
    """Return whether it is plain that no two rows share a key, without a large hash table.

    It is if the rows are sorted by these columns, or consist of few pieces that are, each of other days.
    """
    if frame.height < 2:
        return True
    falls = (~_rises(frame, names)).arg_true()
    if falls.is_empty():
        return True
    if len(falls) >= _FEW_PIECES or table.date_column is None or table.date_column not in table.key:
        return False
    starts = [0, *(falls + 1).to_list(), frame.height]
    days = frame[table.date_column].to_physical().to_numpy()
    pieces = (days[start:end] for start, end in pairwise(starts))
    spans = sorted((int(piece.min()), int(piece.max())) for piece in pieces)
    return all(before[1] < after[0] for before, after in pairwise(spans))


def _orders(table: Table) -> list[list[str]]:
    """Return the usual orders of a table's rows: sorted in one of them, keys are unique without a large hash table."""
    others = [name for name in table.key if name != table.date_column]
    day = [name for name in table.key if name == table.date_column]
    return [[*others, *day], [*day, *others]]


def _example(frame: pl.DataFrame) -> str:
    return ", ".join(f"{name}={value}" for name, value in frame.row(0, named=True).items())
