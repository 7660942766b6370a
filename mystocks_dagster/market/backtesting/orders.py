"""Signals as arrays by day, and the record of what became of each order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from mystocks_dagster.market.backtesting.prices import Prices
from mystocks_dagster.market.rules import Side

#: `open`: at the next day's open. `board`: at the next day's upper limit (打板), where the bar proves the fill.
Entry = Literal["open", "board"]
#: The columns of a signal that may be absent: its rank among the day's buys, its share of the equity, and its `Entry`.
OPTIONAL = {"score": pl.Float64, "weight": pl.Float64, "entry": pl.String}

#: The values of `Signals.said`.
BUY, SELL = 1, 2

_DAYS = {"date": pl.Date, "_day": pl.Int64}
_PLACES = {"symbol": pl.String, "_place": pl.Int64}


class Signals:
    """The signals of one strategy.

    Attributes:
        symbols: The symbols by their place: those of the prices, and after them those without a bar.
        said: By the place of a symbol and of a day: `BUY`, `SELL` or 0. Both on one day are a sale.
        buys: The places of the symbols to buy, by day and in order of preference.
        weights: The part of the equity that each of `buys` gets; None is an equal one.
        entries: How each of `buys` is bought; None is at the open.
    """

    def __init__(self, signals: pl.DataFrame, prices: Prices) -> None:
        """Order the signals of each day: buys by score, then by the amount traded that day, largest first.

        Args:
            signals: `symbol`, `date`, `side`, and any of `OPTIONAL`. An order for a symbol without a bar in `prices` is
                not filled.
            prices: The bars.
        """
        absent = [pl.lit(None, kind).alias(name) for name, kind in OPTIONAL.items() if name not in signals.columns]
        rows = signals.with_columns(absent).unique(["symbol", "date", "side"], keep="first", maintain_order=True)
        self.symbols = [*prices.symbols, *sorted({*rows["symbol"].unique()} - {*prices.symbols})]
        days = pl.DataFrame({"date": prices.days, "_day": range(len(prices.days))}, _DAYS)
        places = pl.DataFrame({"symbol": self.symbols, "_place": range(len(self.symbols))}, _PLACES)
        rows = rows.join(days, on="date").join(places, on="symbol")
        sells = rows.filter(side="sell")
        buys = rows.filter(side="buy").join(sells, on=["_place", "_day"], how="anti")
        amount = _amounts(buys, prices)
        buys = buys.sort("_day", pl.col("score").fill_null(-np.inf) * -1, amount * -1, "_place")
        self.said = np.zeros((len(self.symbols), len(prices.days)), dtype=np.int8)
        for frame, side in ((buys, BUY), (sells, SELL)):
            self.said[frame["_place"].to_numpy(), frame["_day"].to_numpy()] = side
        self.buys: list[int] = buys["_place"].to_list()
        self.weights: list[float | None] = buys["weight"].to_list()
        self.entries: list[Entry | None] = buys["entry"].to_list()
        self._ends: list[int] = np.searchsorted(buys["_day"].to_numpy(), np.arange(len(prices.days) + 1)).tolist()

    def of(self, day: int) -> range:
        """Return the numbers of a day's buy signals in `buys`."""
        return range(self._ends[day], self._ends[day + 1])


def _amounts(rows: pl.DataFrame, prices: Prices) -> pl.Series:
    """Return the amount traded on the day of each signal, in CNY; 0 without a bar."""
    place, day = rows["_place"].to_numpy(), rows["_day"].to_numpy()
    known = place < len(prices.symbols)
    at = np.where(known, prices.rows[np.where(known, place, 0), day] if len(prices.symbols) else -1, -1)
    return pl.Series(np.where(at >= 0, prices.amount[at] if len(prices.amount) else 0.0, 0.0))


class Order(NamedTuple):
    """What became of an order on one day; an order that is tried again has a row for each day.

    Attributes:
        wanted: Shares that were ordered; None where the order was refused before its size was known.
        filled: Shares that were filled.
        reason: Why it was not filled, or not wholly; empty if it was.
    """

    date: date
    symbol: str
    side: Side
    strategy: str
    wanted: int | None
    filled: int
    reason: str


@dataclass
class OrderBook:
    """The orders of a backtest; without `recorded` only the unfilled ones are counted by reason."""

    strategy: str
    recorded: bool

    def __post_init__(self) -> None:
        """Begin empty."""
        self.orders: list[Order] = []
        self.unfilled: Counter[str] = Counter()

    def add(
        self, day: date, symbol: str, side: Side, reason: str = "", wanted: int | None = None, filled: int = 0
    ) -> None:
        """Record an order of one day."""
        if reason:
            self.unfilled[f"{side}: {reason}"] += 1
        if self.recorded:
            self.orders.append(Order(day, symbol, side, self.strategy, wanted, filled, reason))

    def refuse(self, day: date, reason: str, number: int, symbols: Sequence[str]) -> None:
        """Record a number of purchases that were refused for the same reason; `symbols` are listed if recorded."""
        if number:
            self.unfilled[f"buy: {reason}"] += number
        self.orders.extend(Order(day, symbol, "buy", self.strategy, None, 0, reason) for symbol in symbols)
