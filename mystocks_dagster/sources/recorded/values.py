"""The values of an archive's files as the types of our tables."""

import polars as pl

from mystocks_dagster.market.table import MOMENT

_FLAGS = {"1": True, "0": False, "1.0": True, "0.0": False, "true": True, "false": False}


def codes_expr(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression that reads a column of codes as text and restores lost leading zeros."""
    code = pl.col(column).cast(pl.Int64) if dtype.is_numeric() else pl.col(column)
    code = code.cast(pl.String).str.strip_chars()
    return pl.when(code.str.contains(r"^[0-9]{1,5}$")).then(code.str.zfill(6)).otherwise(code)


def cast(value: pl.Expr, source: pl.DataType, target: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """Return `value` of type `source` as `target`; an invalid value raises when the expression is collected."""
    if source == pl.String:
        return _parse(value.str.strip_chars().replace("", None), target)
    if target != MOMENT or not isinstance(source, pl.Datetime):
        return value.cast(target)
    convert = value.dt.replace_time_zone if source.time_zone is None else value.dt.convert_time_zone
    return convert("Asia/Shanghai").cast(MOMENT)


def _parse(text: pl.Expr, target: pl.DataType | type[pl.DataType]) -> pl.Expr:
    if target == pl.Boolean:
        return text.str.to_lowercase().replace_strict(_FLAGS, return_dtype=pl.Boolean)
    if target == pl.Int64:
        return text.cast(pl.Float64).round().cast(pl.Int64)
    if target == MOMENT:
        return text.str.to_datetime("%+").dt.convert_time_zone("Asia/Shanghai").cast(MOMENT)
    return text.cast(target)
