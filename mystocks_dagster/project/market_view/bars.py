"""Bars of one security for a chart: days, weeks or months, raw or adjusted."""

from datetime import date
from types import MappingProxyType

import polars as pl

from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.project.market_view.options import Adjustment, Period
from mystocks_dagster.project.market_view.securities import BARS, Security

_PRICES = ("open", "high", "low", "close")
_EVERY = MappingProxyType[Period, str]({"daily": "1d", "weekly": "1w", "monthly": "1mo"})


def bars_of(
    lake: Lake, security: Security, *, period: Period = "daily", adjustment: Adjustment = "qfq", end: date | None = None
) -> pl.DataFrame:
    """Return `date`, `open`, `high`, `low`, `close`, `volume`, `amount` of the bars on which a security traded.

    Prices of an index or a fund are those that are stored. Days that an unknown ratio separates from the newest are
    left out of adjusted bars. Volume is in shares and amount in CNY, both raw.

    Args:
        lake: The lake.
        security: The security.
        period: Length of a bar. A week is Monday to Sunday; the date of a bar is the last day that traded.
        adjustment: `none` is raw, `qfq` keeps the newest day raw, `hfq` the first.
        end: Last day; None means the newest.
    """
    table = BARS[security.kind]
    columns = ["date", *_PRICES, "volume", "amount"]
    if not lake.exists(table):
        return pl.DataFrame(schema={"date": pl.Date, **dict.fromkeys(columns[1:], pl.Float64)})
    if security.kind != "stock":
        days = lake.read(table, columns=columns, symbols=[security.symbol], end=end).sort("date")
    elif adjustment == "none":
        days = lake.read(table, columns=[*columns, "suspended"], symbols=[security.symbol], end=end).sort("date")
    else:
        days = adjusted_bars(
            lake, adjustment, columns=[*columns, "suspended"], symbols=[security.symbol], end=end, unknown="leave_out"
        )
    if "suspended" in days.columns:
        days = days.filter(~pl.col("suspended")).drop("suspended")
    return days if period == "daily" else _grouped(days, period)


def _grouped(days: pl.DataFrame, period: Period) -> pl.DataFrame:
    start = pl.col("date").dt.truncate(_EVERY[period]).alias("start")
    return (
        days.group_by(start, maintain_order=True)
        .agg(
            pl.col("date").last(),
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.col("amount").sum(),
        )
        .drop("start")
    )
