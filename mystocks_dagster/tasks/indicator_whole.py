"""Calculate from all bars at once what cannot be carried on, and write only the days that differ from stored ones."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import Version
from mystocks_dagster.tasks.changes import changed_days
from mystocks_dagster.tasks.indicator_bars import TradedBars
from mystocks_dagster.tasks.indicator_rebuild import kept_columns, with_kept
from mystocks_dagster.tasks.indicator_rows import Carried, period_rows
from mystocks_dagster.tasks.indicator_work import Work

#: Above this share of changed days, rewriting the whole table costs less than replacing the days.
_MOST = 1 / 3


def replace_changed(lake: Lake, works: Sequence[Work], inputs: Sequence[Version]) -> dict[str, int]:
    """Calculate some periods from their first bar on, and write the days on which a value differs.

    Args:
        lake: Where bars and rows are.
        works: What is calculated; each period has a table of its own.
        inputs: The present versions of the tables that are read.

    Returns:
        The number of rows written by table. Tables are missing in which so many days differ that a rebuild takes less
        time, or whose stored columns are results of other calculations.
    """
    known = [work for work in works if work.has_written(lake)]
    if not known:
        return {}
    bars = TradedBars(lake, [column for work in known for column in work.columns]).read()
    done = {work.table: _replace_changed(lake, work, bars, inputs) for work in known}
    return {table: rows for table, rows in done.items() if rows is not None}


def _replace_changed(lake: Lake, work: Work, bars: pl.DataFrame, inputs: Sequence[Version]) -> int | None:
    schema = lake.schema_of(work.table)
    fresh = period_rows(work.plan, Carried.empty(work.plan), bars, work.period, date.max)
    kept = kept_columns(work, schema)
    names = [name for name in schema.dtypes if name not in kept]
    days = changed_days(lake.scan(work.table, columns=names), fresh.lazy().select(names))
    if len(days) > _MOST * fresh["date"].n_unique():
        return None
    marks = work.marks(lake, inputs)
    if not days:
        lake.set_watermarks(work.table, marks)
        return 0
    rows = with_kept(lake, schema, fresh.filter(pl.col("date").is_in(days)), kept)
    return lake.replace_days(work.table, rows, days, watermarks=marks)
