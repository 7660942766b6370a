"""Bars of weeks and months from daily bars, for screens: with volume and amount."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

import polars as pl

Period = Literal["daily", "weekly", "monthly"]

#: The length of a period in polars' language.
EVERY: Mapping[str, str] = {"weekly": "1w", "monthly": "1mo"}
_AGGREGATES: Mapping[str, pl.Expr] = {
    "date": pl.col("date").last(),
    "open": pl.col("open").first(),
    "high": pl.col("high").max(),
    "low": pl.col("low").min(),
    "close": pl.col("close").last(),
    **{name: pl.col(name).sum() for name in ("volume", "amount")},
    # The turnover of a period is known if that of each of its days is.
    "turnover": pl.when(pl.col("turnover").null_count() == 0).then(pl.col("turnover").sum()),
}


def period_start(day: date, period: Period) -> date:
    """Return the first day of the week or month of a day; of a daily bar the day itself."""
    if period == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "monthly" else day


def period_bars(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return one bar per symbol and period from daily bars sorted by symbol and date; its date is the last day."""
    if period == "daily":
        return rows
    key = pl.col("date").dt.truncate(EVERY[period]).alias("period")
    columns = [expr.alias(name) for name, expr in _AGGREGATES.items() if name in rows.columns]
    return rows.group_by("symbol", key, maintain_order=True).agg(columns).drop("period")
