"""Versions of published rows: since which day each has been known."""

from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import table as table_of

#: Columns that say where a row comes from; two rows that differ in nothing else are one version.
_PROVENANCE = ("source", "loaded_at")
_SINCE = "known_since"


def upsert_versions(lake: Lake, table: str, frame: pl.DataFrame, day: date) -> int:
    """Store published rows beside the earlier versions of the same facts; none of these is lost.

    A new version is known from its `notice_date` on. If other numbers are stored under the same notice, or the notice
    is unknown, it is known from the day of this load: nobody could have read it here before. A row that is stored
    already keeps its day.

    Args:
        lake: The lake to write to.
        table: A table with `version_key`, `notice_date` and `known_since`.
        frame: Rows of a source; a `known_since` other than `notice_date` is taken as stated.
        day: The day of the load.

    Returns:
        The number of rows given.

    Raises:
        ContractBroken, WrongWorld, WrongFormat, TableDamaged, LakeUnavailable: As `Lake.replace_days`.
    """
    return lake.upsert(table, with_known_since(lake, table, frame, day))


def with_known_since(lake: Lake, table: str, frame: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the rows of `upsert_versions` with the day from which each has been known."""
    schema = table_of(table)
    if frame.is_empty() or not lake.exists(table):
        return frame.with_columns(pl.coalesce(_SINCE, "notice_date", pl.lit(day)).alias(_SINCE))
    notice = [*schema.version_key, "notice_date"]
    values = [name for name in schema.dtypes if name not in (*notice, _SINCE, *_PROVENANCE)]
    days = frame[schema.date_column or ""]
    stored = lake.read(table, columns=[*notice, _SINCE, *values], start=days.min(), end=days.max())  # ty: ignore[invalid-argument-type]
    newest = stored.sort(_SINCE).unique(notice, keep="last").with_columns(_stored=True)
    both = frame.join(newest, on=notice, how="left", nulls_equal=True, maintain_order="left", suffix="_before")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in values)
    since = (
        pl.when(pl.col(_SINCE) != pl.col("notice_date"))
        .then(_SINCE)
        .when(pl.col("_stored").is_null())
        .then(pl.coalesce("notice_date", pl.lit(day)))
        .when(same)
        .then(f"{_SINCE}_before")
        .otherwise(pl.max_horizontal(pl.lit(day), f"{_SINCE}_before"))
    )
    return both.with_columns(since.alias(_SINCE)).select(frame.columns)
