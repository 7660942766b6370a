"""The tables `source_comparisons` and `source_differences`: what two sources agreed on, and what they did not."""

from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables.system import SOURCE_COMPARISONS, SOURCE_DIFFERENCES
from mystocks_dagster.market.witnesses import Comparison


def record_comparison(lake: Lake, table: str, day: date, sources: tuple[str, str], result: Comparison) -> None:
    """Store a comparison; it replaces that of the same table, day and sources, and its differences."""
    moment = now()
    same = {"table": table, "date": day, "source_a": sources[0], "source_b": sources[1]}
    row = same | {
        "rows_a": result.rows_a,
        "rows_b": result.rows_b,
        "agreeing": result.agreeing,
        "differing": result.differing,
        "note": result.note,
        "checked_at": moment,
    }
    differences = result.differences.with_columns(
        [pl.lit(value).alias(name) for name, value in {**same, "checked_at": moment}.items()]
    )
    _replace(lake, differences, f"date = DATE '{day}'", table, sources)
    lake.upsert("source_comparisons", pl.DataFrame([row], schema=SOURCE_COMPARISONS.dtypes))


def record_calendar(lake: Lake, source: str, differences: pl.DataFrame, span: tuple[date, date]) -> None:
    """Store the days on which a source's calendar differs from ours; they replace those of the same span of days."""
    sources = ("trading_calendar", source)
    same = {"table": "trading_calendar", "source_a": sources[0], "source_b": source, "checked_at": now()}
    frame = differences.with_columns([pl.lit(value).alias(name) for name, value in same.items()])
    _replace(lake, frame, f"date >= DATE '{span[0]}' AND date <= DATE '{span[1]}'", "trading_calendar", sources)


def comparisons(lake: Lake, day: date | None = None) -> pl.DataFrame:
    """Return the comparisons (`source_comparisons`) of a day, or the newest of each pair of sources and table."""
    if not lake.exists("source_comparisons"):
        return SOURCE_COMPARISONS.empty()
    rows = lake.read("source_comparisons")
    if day is not None:
        return rows.filter(pl.col("date") == day).sort("table", "source_a", "source_b")
    newest = pl.col("date") == pl.col("date").max().over("table", "source_a", "source_b")
    return rows.filter(newest).sort("table", "source_a", "source_b")


def open_differences(lake: Lake, table: str | None = None) -> pl.DataFrame:
    """Return the differences (`source_differences`) of a table or of all, the newest days first."""
    if not lake.exists("source_differences"):
        return SOURCE_DIFFERENCES.empty()
    rows = lake.read("source_differences")
    rows = rows if table is None else rows.filter(pl.col("table") == table)
    return rows.sort("date", "table", "symbol", "column", descending=[True, False, False, False])


def _replace(lake: Lake, frame: pl.DataFrame, days: str, table: str, sources: tuple[str, str]) -> None:
    typed = frame.select(pl.col(name).cast(dtype) for name, dtype in SOURCE_DIFFERENCES.dtypes.items())
    pair = f"source_a = '{sources[0]}' AND source_b = '{sources[1]}'"
    lake.replace_rows("source_differences", typed, f"\"table\" = '{table}' AND {days} AND {pair}")
