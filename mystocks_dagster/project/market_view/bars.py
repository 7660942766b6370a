"""Bars of one security for a chart: days, weeks or months, raw or adjusted."""

from datetime import date

import polars as pl

from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.periods import Period, period_bars
from mystocks_dagster.project.market_view.options import Adjustment
from mystocks_dagster.project.market_view.securities import BARS, Security

_PRICES = ("open", "high", "low", "close")


def bars_of(
    lake: Lake, security: Security, *, period: Period = "daily", adjustment: Adjustment = "qfq", end: date | None = None
) -> pl.DataFrame:
    """Return `symbol`, `date`, `open`, `high`, `low`, `close`, `volume`, `amount` of the bars on which it traded.

    Prices of an index or a fund are those that are stored. Days that an unknown ratio separates from the newest are
    left out of adjusted bars. Volume is in shares and amount in CNY, both raw. A stock has `turnover` too, in percent.

    Args:
        lake: The lake.
        security: The security.
        period: Length of a bar. A week is Monday to Sunday; the date of a bar is the last day that traded.
        adjustment: `none` is raw, `qfq` keeps the newest day raw, `hfq` the first.
        end: Last day; None means the newest.
    """
    table, stock = BARS[security.kind], security.kind == "stock"
    columns = ["symbol", "date", *_PRICES, "volume", "amount", *(["turnover"] if stock else [])]
    if not lake.exists(table):
        return pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, **dict.fromkeys(columns[2:], pl.Float64)})
    selected = [*columns, *(["suspended"] if stock else [])]
    if stock and adjustment != "none":
        days = adjusted_bars(
            lake, adjustment, columns=selected, symbols=[security.symbol], end=end, unknown="leave_out"
        )
    else:
        days = lake.read(table, columns=selected, symbols=[security.symbol], end=end).sort("date")
    if stock:
        days = days.filter(~pl.col("suspended")).drop("suspended")
    return period_bars(days.with_columns(pl.col("volume").cast(pl.Float64)), period)
