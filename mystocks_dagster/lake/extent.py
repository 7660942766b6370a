"""The first and the last day of a table, and the symbols of its last day: little is read."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import table as table_of


@dataclass(frozen=True)
class Extent:
    """How far a table reaches.

    Attributes:
        first: Its first day.
        last: Its last day.
        symbols: The number of symbols of the last day; None for a table without symbols.
    """

    first: date
    last: date
    symbols: int | None


def extent(lake: Lake, table: str) -> Extent | None:
    """Return how far a table reaches; None if it has no rows or no days.

    The first day comes from the transaction log, so of the rows only those of the last day are read.
    """
    schema, log = table_of(table), lake.log(table)
    if log is None or schema.date_column is None:
        return None
    files = pl.DataFrame(log.get_add_actions(flatten=True))
    names = [f"{end}.{schema.date_column}" for end in ("min", "max")]
    if files.is_empty() or any(name not in files.columns for name in names):
        return None
    first, last = (files[name].cast(pl.Date) for name in names)
    newest = last.max()
    if not isinstance(newest, date) or not isinstance(oldest := first.min(), date):
        return None
    if "symbol" not in schema.dtypes:
        return Extent(oldest, newest, None)
    symbols = lake.scan(table, columns=["symbol"], start=newest).select(pl.col("symbol").n_unique()).collect().item()
    return Extent(oldest, newest, symbols)
