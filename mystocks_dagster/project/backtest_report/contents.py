"""What a report shows of a backtest, read from the lake."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from mystocks_dagster.project.backtest_report.charts import BLUE, GOLD, GREY, RED, Chart, Line, Mark

if TYPE_CHECKING:  # polars takes 0.4 s to import
    import polars as pl

    from mystocks_dagster.lake.store import Lake

#: Price charts of the symbols that were traded most.
SYMBOLS = 4
#: Calendar days that a price chart shows before the first and after the last trade.
_AROUND = timedelta(days=60)


@dataclass(frozen=True)
class Contents:
    """The parts of a report.

    Attributes:
        summary: The row of `backtests`.
        equity: Its rows of `backtest_equity`, by day.
        charts: Equity, drawdown and exposure.
        prices: The price charts with the trades.
        unfilled: Side, reason and number of orders that were not filled, or not wholly, the most frequent first.
        events: Kind, number and cash of dividends, rights and the like.
        trades: The newest trades.
    """

    summary: dict[str, Any]
    equity: "pl.DataFrame"
    charts: list[Chart]
    prices: list[Chart]
    unfilled: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    trades: "pl.DataFrame"


def read_contents(lake: "Lake", summary: dict[str, Any]) -> Contents:
    """Read the parts of a stored backtest; an older one has no orders and events."""
    import polars as pl

    def rows(table: str) -> pl.DataFrame:
        if not lake.exists(table):
            return pl.DataFrame()
        return lake.scan(table).filter(backtest_id=summary["backtest_id"]).collect()

    equity, trades = rows("backtest_equity").sort("date"), rows("backtest_trades").sort("sequence")
    orders, events = rows("backtest_orders"), rows("backtest_events")
    unfilled = []
    if not orders.is_empty():
        counted = orders.filter(pl.col("reason") != "").group_by("side", "reason").len()
        unfilled = counted.sort("len", "side", "reason", descending=[True, False, False]).rows()
    happened = []
    if not events.is_empty():
        happened = events.group_by("kind").agg(pl.len(), pl.col("cash").sum().round(2)).sort("kind").rows()
    charts = _charts(equity, summary)
    return Contents(summary, equity, charts, _prices(lake, trades), unfilled, happened, trades)


def _charts(equity: "pl.DataFrame", summary: dict[str, Any]) -> list[Chart]:
    days = equity["date"].to_list()
    lines = [Line("权益 equity", equity["equity"].to_list(), RED)]
    if equity["benchmark"].count():
        lines.append(Line(f"基准 {summary['benchmark']}", equity["benchmark"].to_list(), GREY))
    falls = (equity["equity"] / equity["equity"].cum_max() - 1).to_list()
    exposed = (equity["holdings"] / equity["equity"]).to_list()
    return [
        Chart("权益 Equity, CNY", days, lines, height=320),
        Chart("回撤 Drawdown", days, [Line("", falls, BLUE, fill=True)], percent=True, height=180),
        Chart("仓位 Exposure", days, [Line("", exposed, GOLD, fill=True)], percent=True, height=150),
    ]


def _prices(lake: "Lake", trades: "pl.DataFrame") -> list[Chart]:
    """Return the closes of the symbols that were traded most, with their fills."""
    if trades.is_empty() or not lake.exists("daily_bars"):
        return []
    most = trades.group_by("symbol").len().sort("len", "symbol", descending=[True, False]).head(SYMBOLS)
    charts = []
    for symbol in most["symbol"]:
        own = trades.filter(symbol=symbol)
        first, last = own["date"][0] - _AROUND, own["date"][-1] + _AROUND
        bars = lake.read("daily_bars", columns=["date", "close"], symbols=[symbol], start=first, end=last).sort("date")
        places = {day: place for place, day in enumerate(bars["date"])}
        marks = [
            Mark(places[day], price, side, f"{day} {side} {shares:,} at {price:.2f}")
            for day, side, shares, price in own.select("date", "side", "shares", "price").iter_rows()
            if day in places
        ]
        line = Line("收盘价 close, raw", bars["close"].to_list(), GREY)
        charts.append(Chart(f"{symbol}: {own.height} 笔成交 fills", bars["date"].to_list(), [line], marks, height=220))
    return charts
