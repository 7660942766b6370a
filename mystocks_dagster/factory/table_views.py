"""What a materialization of a computed table shows beside its first rows: how far it reaches, and a small chart."""

import base64
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import dagster as dg

from mystocks_dagster.tags import Metadata

if TYPE_CHECKING:
    from mystocks_dagster.lake.extent import Extent
    from mystocks_dagster.lake.store import Lake

#: Bars and months that a chart shows, and the days of a curve: more are thinned out.
_CHART_BARS, _CHART_MONTHS, _CHART_DAYS = 120, 36, 300


def table_view(lake: "Lake", table: str) -> dict[str, Any]:
    """Return the metadata of a computed table; empty for a table without days, or one that is not computed."""
    from mystocks_dagster.lake.extent import extent
    from mystocks_dagster.market.tables import TABLES

    if TABLES[table].domain not in ("indicators", "research") or (reach := extent(lake, table)) is None:
        return {}
    metadata: dict[str, Any] = {Metadata.FIRST_DAY: f"{reach.first}", Metadata.LAST_DAY: f"{reach.last}"}
    if reach.symbols is not None:
        metadata[Metadata.SYMBOLS] = reach.symbols
    chart = _CHARTS.get(table)
    svg = chart(lake, table, reach) if chart else None
    return metadata | ({Metadata.CHART: dg.MetadataValue.md(as_image(svg))} if svg else {})


def as_image(svg: str) -> str:
    """Return a chart as Markdown; Dagster's pages show an image, and leave out SVG that stands in the text."""
    return f"![chart](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _prices(lake: "Lake", table: str, reach: "Extent") -> str | None:
    """Draw the close and its averages of the stock with the largest amount traded on the last day."""
    from mystocks_dagster.market.small_charts import line_chart

    if not lake.exists("daily_bars"):
        return None
    bars = lake.scan("daily_bars", columns=["symbol", "amount"], start=reach.last, end=reach.last)
    largest = bars.sort("amount", "symbol", descending=[True, False]).head(1).collect()
    if largest.is_empty():
        return None
    symbol, lines = largest["symbol"].item(), ["close_hfq", "ma5", "ma20", "ma60"]
    days_per_bar = {"indicators_weekly": 7, "indicators_monthly": 31}.get(table, 2)
    start = reach.last - timedelta(days=_CHART_BARS * days_per_bar)
    rows = lake.read(table, columns=["date", *lines], symbols=[symbol], start=start).sort("date")
    if rows.is_empty():
        return None
    values = {name: rows[name].to_list() for name in lines if rows[name].count()}
    return line_chart(f"{symbol}, hfq", values, (f"{rows['date'][0]}", f"{rows['date'][-1]}"))


def _signals(lake: "Lake", table: str, reach: "Extent") -> str | None:
    """Draw the number of signals of each month."""
    import polars as pl

    from mystocks_dagster.market.small_charts import bar_chart

    start = reach.last.replace(day=1) - timedelta(days=30 * _CHART_MONTHS)
    month = pl.col("date").dt.truncate("1mo")
    counted = lake.scan(table, columns=["date", "side"], start=start).group_by(month, "side").len().collect()
    months = counted["date"].unique().sort()
    if months.is_empty():
        return None
    sides = {side: dict(counted.filter(side=side).select("date", "len").iter_rows()) for side in ("buy", "sell")}
    up, down = ([numbers.get(day, 0) for day in months] for numbers in sides.values())
    return bar_chart("signals per month", up, down, ("buy", "sell"), (f"{months[0]:%Y-%m}", f"{months[-1]:%Y-%m}"))


def _equity(lake: "Lake", table: str, reach: "Extent") -> str | None:
    """Draw the newest backtest's equity, and its benchmark if it has one."""
    from mystocks_dagster.market.small_charts import line_chart

    if not lake.exists("backtests"):
        return None
    newest = lake.head("backtests", 1).row(0, named=True)
    rows = lake.scan(table).filter(backtest_id=newest["backtest_id"]).sort("date").collect()
    if rows.is_empty():
        return None
    rows = rows.gather_every(1 + rows.height // _CHART_DAYS)
    lines = {name: rows[name].to_list() for name in ("equity", "benchmark") if rows[name].count()}
    title = f"{newest['strategy']} {newest['total_return']:+.2%}"
    return line_chart(title, lines, (f"{rows['date'][0]}", f"{rows['date'][-1]}"))


_CHARTS: Mapping[str, Callable[["Lake", str, "Extent"], str | None]] = MappingProxyType(
    {
        "indicators_daily": _prices,
        "indicators_weekly": _prices,
        "indicators_monthly": _prices,
        "signals": _signals,
        "backtest_equity": _equity,
    }
)
