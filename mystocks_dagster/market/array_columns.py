"""Columns of numpy arrays without a copy."""

import numpy as np
import polars as pl


def array_column(name: str, array: np.ndarray, dtype: pl.DataType | type[pl.DataType] | None = None) -> pl.Series:
    """Return a contiguous array of numbers as a column that shares its memory; do not change the array afterwards.

    Args:
        name: The column's name.
        array: Its values; days and moments as numbers.
        dtype: Its type if it is not that of the array.
    """
    import pyarrow as pa

    # polars copies an array; `pyarrow.array` would import pandas.
    values = pa.Array.from_buffers(pa.from_numpy_dtype(array.dtype), len(array), [None, pa.py_buffer(array)])
    series = pl.Series(name, values)
    return series if dtype is None else series.cast(dtype)
