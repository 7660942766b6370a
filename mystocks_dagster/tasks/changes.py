"""Store a computed table by writing only the days that differ from the stored ones."""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import BEGINNING
from mystocks_dagster.market.tables import table as table_of

#: Above this share of changed days, rewriting the whole table costs less than replacing the days.
_MOST = 1 / 3


def write_changes(
    lake: Lake,
    table: str,
    content: pl.DataFrame,
    *,
    since: date = BEGINNING,
    watermarks: Mapping[str, int] | None = None,
    force: bool = False,
) -> int:
    """Replace the content of a table with a `date` column from the day `since` on, atomically.

    Only days that differ are written: a new trading day, or the days that a repair changes. Equal content writes no
    row, except with `force`. In each case `watermarks` are stored with the table.

    Returns:
        The number of rows written.
    """
    content = table_of(table).complete(content)
    if not lake.exists(table) or (force and since == BEGINNING):
        return lake.replace_all(table, content, watermarks=watermarks)
    days = changed_days(lake.scan(table, start=since), content.lazy())
    if not days:
        lake.set_watermarks(table, watermarks or {})
        return 0
    if since == BEGINNING and len(days) > _MOST * content["date"].n_unique():
        return lake.replace_all(table, content, watermarks=watermarks)
    return lake.replace_days(table, content.filter(pl.col("date").is_in(days)), days, watermarks=watermarks)


def changed_days(stored: pl.LazyFrame, fresh: pl.LazyFrame) -> Sequence[date]:
    """Return the days, ascending, whose rows differ between both frames, regardless of their order."""
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
