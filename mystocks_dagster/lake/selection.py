"""The rows of a table that a reader keeps: of some symbols and days, under the newest codes."""

from collections.abc import Sequence
from datetime import date
from typing import TypedDict

import polars as pl

from mystocks_dagster.lake.layout import YEAR, date_column
from mystocks_dagster.market.code_changes import CODE, CodeChanges
from mystocks_dagster.market.table import Table


class Selection(TypedDict, total=False):
    """Keyword arguments of `lake.reading.TableReader.scan`, which documents them."""

    columns: Sequence[str] | None
    symbols: Sequence[str] | None
    start: date | None
    end: date | None
    as_of: date | None


def with_newest_codes(schema: Table, frame: pl.LazyFrame, changes: CodeChanges) -> pl.LazyFrame:
    """Return rows with the newest code as `symbol`, and the stored one as `code`.

    A table without days, such as the stock list, has a row of each code: that of the newest code stays.
    """
    frame = changes.to_newest(frame)
    if schema.date_column or "symbol" not in schema.key:
        return frame
    newest = pl.col(CODE) == pl.col("symbol")
    return frame.sort(newest).unique(schema.key, keep="last", maintain_order=True)


def selected(
    schema: Table,
    frame: pl.LazyFrame,
    symbols: Sequence[str] | None,
    start: date | None,
    end: date | None,
    *,
    partitioned: bool,
) -> pl.LazyFrame:
    """Keep the rows of those symbols and days; a condition on the partition column lets whole files be skipped.

    Where the days begin or end with a year, no further condition compares rows.
    """
    if symbols is not None:
        frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
    if start is not None:
        frame = frame.filter(pl.col(YEAR) >= start.year) if partitioned else frame
        if not partitioned or (start.month, start.day) != (1, 1):
            frame = frame.filter(pl.col(date_column(schema)) >= start)
    if end is not None:
        frame = frame.filter(pl.col(YEAR) <= end.year) if partitioned else frame
        if not partitioned or (end.month, end.day) != (12, 31):
            frame = frame.filter(pl.col(date_column(schema)) <= end)
    return frame
