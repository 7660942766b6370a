"""Weekly bars from daily bars."""

import polars as pl

_WEEK = {
    "date": pl.col("date").last(),
    "open": pl.col("open").first(),
    "high": pl.col("high").max(),
    "low": pl.col("low").min(),
    "close": pl.col("close").last(),
}


def weekly_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """Return one bar per symbol and calendar week (Monday to Sunday) in which it traded, in order of symbol and date.

    The date is the last day of that week on which the symbol traded, so that of the current week changes daily.

    Args:
        bars: `symbol`, `date` and any of `open`, `high`, `low`, `close` of the days on which the symbol traded,
            adjusted to one scale and in order of symbol and date; other columns are dropped.
    """
    week = pl.col("date").dt.truncate("1w").alias("week")
    columns = (expr for name, expr in _WEEK.items() if name in bars.columns)
    return bars.group_by("symbol", week, maintain_order=True).agg(columns).drop("week")
