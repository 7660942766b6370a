"""Read stored rows in order of symbol and date, fast enough for a whole market's history."""

import polars as pl

from mystocks_dagster.lake.delta import translate_errors

#: More days than any stored day is away from 1970-01-01.
_DAYS = 2**20


def collect_sorted(stored: pl.LazyFrame, location: str) -> pl.DataFrame:
    """Collect rows with `symbol` and `date` in order of both; symbols become an `Enum` whose categories are in order too.

    A market is sorted and grouped by the Enum's numbers in a fifth of the time that texts take.

    Args:
        stored: What `Lake.scan` returned, filtered and selected at will.
        location: The lake's, for messages.

    Raises:
        LakeUnavailable: The lake cannot be read.
    """
    with translate_errors(location):
        symbols = stored.select(pl.col("symbol").unique().sort()).collect()["symbol"]
        frame = stored.with_columns(pl.col("symbol").cast(pl.Enum(symbols))).collect()
    place = pl.col("symbol").to_physical().cast(pl.Int64) * _DAYS + pl.col("date").to_physical()
    return frame.sort(place)
