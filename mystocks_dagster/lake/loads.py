"""Which days of a table were loaded, and whether all of them: the table `loaded_days`."""

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.system import LOADED_DAYS


def complete_days(lake: Lake, table: str) -> dict[date, int]:
    """Return the days of which the source gave all that it has, each with its number of rows, ascending."""
    return dict(loads(lake, table).filter("complete").sort("date").select("date", "rows").iter_rows())


def lacking_days(lake: Lake, table: str) -> dict[date, int]:
    """Return the complete days of which rows are missing that the source does not have, each with its number of rows, ascending."""
    lacking = loads(lake, table).filter("complete", pl.col("lacking").fill_null(value=False))
    return dict(lacking.sort("date").select("date", "rows").iter_rows())


def whole_days(lake: Lake, table: str) -> set[date]:
    """Return the complete days that lack no row: on them a symbol without a row had none."""
    return complete_days(lake, table).keys() - lacking_days(lake, table).keys()


def incomplete_days(lake: Lake, table: str) -> dict[date, int]:
    """Return the days that were loaded and are not complete, each with its number of rows, ascending."""
    return dict(loads(lake, table).filter(~pl.col("complete")).sort("date").select("date", "rows").iter_rows())


def was_loaded(lake: Lake, table: str, day: date, *, completely: bool = True) -> bool:
    """Say whether the table was loaded for that day, completely or at all."""
    return not loads(lake, table).filter(pl.col("date") == day, pl.col("complete") | (not completely)).is_empty()


def record_days(
    lake: Lake,
    table: str,
    rows: Mapping[date, int],
    *,
    source: str,
    incomplete: Collection[date] = (),
    lacking: Collection[date] = (),
) -> None:
    """Write down the rows of each day that was loaded just now.

    Days in `incomplete` will be asked for again. Those in `lacking` are not, and yet rows of them are missing.
    """
    same = {"table": table, "source": source, "loaded_at": now()}
    entries = [
        {**same, "date": day, "rows": count, "complete": day not in incomplete, "lacking": day in lacking}
        for day, count in rows.items()
    ]
    lake.upsert("loaded_days", pl.DataFrame(entries, schema=LOADED_DAYS.dtypes))


def forget_days(lake: Lake, table: str, days: Collection[date]) -> None:
    """Mark days as incomplete before they are written again, so that a run killed in the middle is seen as such."""
    _forget(lake, recorded(lake, table).filter(pl.col("complete"), pl.col("date").is_in(list(days))))


def forget_missing(lake: Lake) -> None:
    """Mark the days of tables as incomplete whose folders are gone; call it before such a table is written again.

    Without it the first day that is written would make all the others count as loaded again.
    """
    complete = _entries(lake).filter("complete")
    _forget(
        lake,
        complete.filter(pl.col("table").is_in([name for name in complete["table"].unique() if _is_gone(lake, name)])),
    )


def loads(lake: Lake, table: str) -> pl.DataFrame:
    """Return the entries of one table; none while the table does not exist, whatever was loaded once."""
    return LOADED_DAYS.empty() if _is_gone(lake, table) else recorded(lake, table)


def first_days(lake: Lake) -> dict[str, date]:
    """Return the first day that was loaded of each table that exists."""
    first = _entries(lake).group_by("table").agg(pl.col("date").min()).sort("table")
    return {table: day for table, day in first.iter_rows() if not _is_gone(lake, table)}


def recorded(lake: Lake, table: str) -> pl.DataFrame:
    """Return the entries of one table, also when it does not exist any more."""
    return _entries(lake).filter(pl.col("table") == table)


def _entries(lake: Lake) -> pl.DataFrame:
    return lake.read("loaded_days") if lake.exists("loaded_days") else LOADED_DAYS.empty()


def _forget(lake: Lake, complete: pl.DataFrame) -> None:
    if complete.height:
        lake.upsert("loaded_days", complete.with_columns(complete=pl.lit(value=False)))


def _is_gone(lake: Lake, table: str) -> bool:
    """Say whether there is no such table; one that is damaged, or cannot be reached, is not gone."""
    try:
        return not lake.exists(table)
    except LakeError:
        return False
