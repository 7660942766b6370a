"""Store a computed table by writing only the days that differ from what is stored."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import EVER
from mystocks_dagster.market.tables import table as table_of

#: Above this share of days one new version of the whole table costs less than replacing the days.
_MOST = 1 / 3


def write_changes(
    lake: Lake,
    table: str,
    content: pl.DataFrame,
    *,
    since: date = EVER,
    marks: Mapping[str, int] | None = None,
    force: bool = False,
) -> int:
    """Make `content` the whole content, from the day `since` on, of a table with a `date` column, atomically.

    A new trading day costs the rows of that day, a repaired past the days that it changes; the same content again
    writes no row, unless `force` asks for it. In each case `marks` are kept with the table.

    Returns:
        The number of rows written.
    """
    content = content.select(*table_of(table).dtypes)
    if not lake.exists(table) or (force and since == EVER):
        return lake.replace_all(table, content, marks=marks)
    days = changed_days(lake.scan(table, start=since), content.lazy())
    if not days:
        lake.mark(table, marks or {})
        return 0
    if since == EVER and len(days) > _MOST * content["date"].n_unique():
        return lake.replace_all(table, content, marks=marks)
    return lake.replace_days(table, content.filter(pl.col("date").is_in(days)), days, marks=marks)


def changed_days(stored: pl.LazyFrame, fresh: pl.LazyFrame) -> Sequence[date]:
    """Return the days, ascending, whose rows are not the same in both frames; the order of rows does not matter."""
    both = _digests(stored).join(_digests(fresh), on="date", how="full", coalesce=True)
    same = pl.col("rows").eq_missing(pl.col("rows_right")) & pl.col("digest").eq_missing(pl.col("digest_right"))
    return both.filter(~same).select(pl.col("date").sort()).collect(engine="streaming")["date"].to_list()


def _digests(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per day: the number of its rows and a hash over their values."""
    return (
        frame.select("date", row=pl.struct(pl.all()).hash())
        .group_by("date")
        .agg(rows=pl.len(), digest=pl.col("row").bitwise_xor())
    )
