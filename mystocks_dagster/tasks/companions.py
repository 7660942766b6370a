"""Store the tables whose rows come with daily bars, without a further request, such as valuation ratios."""

from collections.abc import Collection
from datetime import date

import polars as pl

from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.loads import forget_days, record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.sources.checked import take_findings
from mystocks_dagster.sources.protocol import MarketSource


def store_companions(source: MarketSource, lake: Lake, days: Collection[date]) -> dict[str, dict[date, int]]:
    """Store the rows of days whose bars were just fetched; return the number of rows by table and day.

    A source names such tables in its attribute `with_bars`. Rows that break a rule are set aside.
    """
    stored: dict[str, dict[date, int]] = {}
    for table in getattr(source, "with_bars", ()) if days else ():
        frame = source.rows(table, min(days), max(days)).filter(pl.col("date").is_in(list(days)))
        rejected = take_findings(source, table)
        counts = dict(frame.group_by("date").agg(pl.len()).sort("date").iter_rows())
        quarantine.replace_days(lake, table, rejected.faults, {*counts, *rejected.refused}, source.name)
        if not counts:
            continue
        forget_days(lake, table, list(counts))
        lake.replace_days(table, frame, list(counts))
        record_days(lake, table, counts, source=source.name)
        stored[table] = counts
    return stored
