"""Weekly bars out of daily ones."""

import polars as pl


def weekly_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Return one bar per symbol and calendar week (Monday to Sunday) in which it traded, in order of symbol and date.

    The date is the last day of that week on which the symbol traded, so the bar of a running week moves on with it.

    Args:
        bars: `symbol`, `date`, `open`, `high`, `low`, `close` of the days on which the symbol traded, on one adjusted
            scale; further columns are dropped.
    """
    return (
        bars.sort("symbol", "date")
        .group_by("symbol", pl.col("date").dt.truncate("1w").alias("week"), maintain_order=True)
        .agg(pl.col("date").last(), pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last())
        .drop("week")
    )
