"""The table `loaded_days`: which days of a table were loaded, and which of them completely."""

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from mystocks_dagster.errors import LakeError
from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.system import LOADED_DAYS


def complete_days(lake: TableReader, table: str) -> dict[date, int]:
    """Return the complete days of a table, ascending, each with its number of rows."""
    return dict(load_entries(lake, table).filter("complete").sort("date").select("date", "rows").iter_rows())


def lacking_days(lake: TableReader, table: str) -> dict[date, int]:
    """Return the complete days that lack rows which the source does not have, ascending, with their number of rows."""
    lacking = load_entries(lake, table).filter("complete", pl.col("lacking").fill_null(value=False))
    return dict(lacking.sort("date").select("date", "rows").iter_rows())


def whole_days(lake: TableReader, table: str) -> set[date]:
    """Return the complete days that lack no row: a symbol without a row did not trade on them."""
    return complete_days(lake, table).keys() - lacking_days(lake, table).keys()


def incomplete_days(lake: TableReader, table: str) -> dict[date, int]:
    """Return the loaded days that are not complete, ascending, each with its number of rows."""
    return dict(load_entries(lake, table).filter(~pl.col("complete")).sort("date").select("date", "rows").iter_rows())


def was_loaded(lake: TableReader, table: str, day: date, *, completely: bool = True) -> bool:
    """Return whether the table was loaded for that day: completely, or at all."""
    return not load_entries(lake, table).filter(pl.col("date") == day, pl.col("complete") | (not completely)).is_empty()


def record_days(
    lake: Lake,
    table: str,
    rows: Mapping[date, int],
    *,
    source: str,
    incomplete: Collection[date] = (),
    lacking: Collection[date] = (),
) -> None:
    """Record the number of rows of each day that was just loaded.

    Args:
        lake: The lake.
        table: The table that was loaded.
        rows: The days and their number of rows.
        source: Name of the source.
        incomplete: Days that the next run loads again.
        lacking: Days that are not loaded again although rows of them are missing.
    """
    entries = entries_of(table, rows, source=source, incomplete=incomplete, lacking=lacking)
    lake.upsert("loaded_days", entries)


def entries_of(
    table: str,
    rows: Mapping[date, int],
    *,
    source: str,
    incomplete: Collection[date] = (),
    lacking: Collection[date] = (),
) -> pl.DataFrame:
    """Return the entries that `record_days` writes; its arguments."""
    same = {"table": table, "source": source, "loaded_at": now()}
    entries = [
        {**same, "date": day, "rows": count, "complete": day not in incomplete, "lacking": day in lacking}
        for day, count in rows.items()
    ]
    return pl.DataFrame(entries, schema=LOADED_DAYS.dtypes)


def forget_days(lake: Lake, table: str, days: Collection[date]) -> None:
    """Mark days as incomplete before they are rewritten, so that a killed run leaves them to be loaded again."""
    if days:
        _forget(lake, all_load_entries(lake, table).filter(pl.col("complete"), pl.col("date").is_in(list(days))))


def forget_missing(lake: Lake) -> None:
    """Mark the days of missing tables as incomplete; call it before such a table is written again.

    Otherwise the first write would recreate the table, and its other days would count as loaded.
    """
    complete = _entries(lake).filter("complete")
    missing = [name for name in complete["table"].unique() if _is_missing(lake, name)]
    _forget(lake, complete.filter(pl.col("table").is_in(missing)))


def load_entries(lake: TableReader, table: str) -> pl.DataFrame:
    """Return the entries of one table; empty when the table does not exist."""
    return LOADED_DAYS.empty() if _is_missing(lake, table) else all_load_entries(lake, table)


def first_days(lake: TableReader) -> dict[str, date]:
    """Return the first loaded day of each existing table."""
    first = _entries(lake).group_by("table").agg(pl.col("date").min()).sort("table")
    return {table: day for table, day in first.iter_rows() if not _is_missing(lake, table)}


def all_load_entries(lake: TableReader, table: str) -> pl.DataFrame:
    """Return the entries of one table, also when the table no longer exists."""
    return _entries(lake).filter(pl.col("table") == table)


def _entries(lake: TableReader) -> pl.DataFrame:
    return lake.read("loaded_days") if lake.exists("loaded_days") else LOADED_DAYS.empty()


def _forget(lake: Lake, complete: pl.DataFrame) -> None:
    if complete.height:
        lake.upsert("loaded_days", complete.with_columns(complete=pl.lit(value=False)))


def _is_missing(lake: TableReader, table: str) -> bool:
    """Return whether the table does not exist; a damaged or unreachable table is not missing."""
    try:
        return not lake.exists(table)
    except LakeError:
        return False
