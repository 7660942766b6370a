"""Does a frame obey its table's contract? Asked before every write, so that what is stored can be trusted."""

import polars as pl

from mystocks_dagster.errors import ContractBroken
from mystocks_dagster.market.table import MOMENT, Column, Table
from mystocks_dagster.market.value_rules import broken_rule


def conform(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` in the table's column order and types, or refuse it.

    Types are changed only where nothing is lost: 3 becomes 3.0 and 3.0 becomes 3, but 3.5 never becomes 3.

    Raises:
        ContractBroken: Columns are missing or unknown, a value does not fit its type, is null or not finite where it
            must not be, two rows share a key, or a computed row breaks a rule of the table. The message names table and
            column and shows one such row.
    """
    _check_columns(table, frame)
    frame = frame.select(_cast(table, frame, column) for column in table.columns)
    for column in table.columns:
        _check_values(table, frame, column)
    doubled = (
        frame.clear()
        if not table.key or _in_order(table, frame)
        else frame.filter(pl.struct(table.key).is_duplicated())
    )
    if doubled.height:
        raise ContractBroken(
            f"{table.name}: {doubled.height} rows share their key ({', '.join(table.key)}), e.g. {_show(doubled)}."
        )
    if found := broken_rule(table, frame):
        rule, bad = found
        raise ContractBroken(f"{table.name}: {rule.name}: {rule.reason}, in {bad.height} rows, e.g. {_show(bad)}.")
    return frame


def _check_columns(table: Table, frame: pl.DataFrame) -> None:
    expected = {column.name for column in table.columns}
    missing = [column.name for column in table.columns if column.name not in frame.columns]
    unknown = [name for name in frame.columns if name not in expected]
    if missing or unknown:
        faults = [f"no column {', '.join(missing)}"] * bool(missing) + [f"unknown column {', '.join(unknown)}"] * bool(
            unknown
        )
        raise ContractBroken(
            f"{table.name}: {' and '.join(faults)}; its columns are {', '.join(c.name for c in table.columns)}."
        )


def _cast(table: Table, frame: pl.DataFrame, column: Column) -> pl.Series:
    series = frame[column.name]
    if series.dtype == column.dtype:
        return series
    if not _may_become(series.dtype, column.dtype):
        raise ContractBroken(
            f"{table.name}.{column.name}: has type {series.dtype}, must be {column.dtype} ({column.unit})."
        )
    cast = series.cast(column.dtype, strict=False)
    lost = (
        cast.is_null() != series.is_null()
        if series.dtype == pl.Null
        else ~cast.cast(series.dtype, strict=False).eq_missing(series)
    )
    if lost.any():
        raise ContractBroken(
            f"{table.name}.{column.name}: a value does not fit {column.dtype}, e.g. {_show(frame.filter(lost))}."
        )
    return cast


def _may_become(found: pl.DataType, wanted: pl.DataType | type[pl.DataType]) -> bool:
    if found == pl.Null:
        return True
    if wanted in (pl.Float64, pl.Int64):
        return found.is_numeric()
    if wanted == pl.String:
        return isinstance(found, pl.Categorical | pl.Enum)
    return wanted == MOMENT and isinstance(found, pl.Datetime) and found.time_zone is not None


def _check_values(table: Table, frame: pl.DataFrame, column: Column) -> None:
    series = frame[column.name]
    if not column.null and series.null_count():
        raise ContractBroken(
            f"{table.name}.{column.name}: {series.null_count()} of {frame.height} values are null, "
            f"which is not allowed, e.g. {_show(frame.filter(series.is_null()))}."
        )
    if column.dtype == pl.Float64 and not (finite := series.is_finite().fill_null(value=True)).all():
        raise ContractBroken(f"{table.name}.{column.name}: not a finite number, e.g. {_show(frame.filter(~finite))}.")


def _in_order(table: Table, frame: pl.DataFrame) -> bool:
    """Say whether each row's key is greater than the last one's: then none is doubled, without a hash table."""
    rises = pl.lit(value=False)
    for name in reversed(table.key):
        now, last = pl.col(name).slice(1), pl.col(name).slice(0, pl.len() - 1)
        rises = (now > last) | ((now == last) & rises)
    return frame.height < 2 or bool(frame.select(rises.all()).item())


def _show(frame: pl.DataFrame) -> str:
    return ", ".join(f"{name}={value}" for name, value in frame.row(0, named=True).items())
