"""Signals as arrays by day, and the record of what became of each order."""

from collections import Counter
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

_DAYS = {"date": pl.Date, "_day": pl.Int64}
_PLACES = {"symbol": pl.String, "_place": pl.Int64}


class Signals:
    """The signals of one strategy by the place of their day."""

    def __init__(self, signals: pl.DataFrame, prices: Prices, amounts: pl.DataFrame) -> None:
        """Order the signals of each day: buys by score, then by the amount traded that day, largest first.

        Args:
            signals: `symbol`, `date`, `side`, and any of `OPTIONAL`. Symbols without a bar in `prices` are numbered
                after the others: an order for them is not filled.
            prices: The bars.
            amounts: `symbol`, `date` and `amount` of the bars.
        """
        absent = [pl.lit(None, kind).alias(name) for name, kind in OPTIONAL.items() if name not in signals.columns]
        rows = signals.with_columns(absent).unique(["symbol", "date", "side"], keep="first", maintain_order=True)
        days = pl.DataFrame({"date": prices.days, "_day": range(len(prices.days))}, _DAYS)
        known = sorted(set(rows["symbol"].to_list()) - set(prices.symbols))
        self.symbols = [*prices.symbols, *known]
        places = pl.DataFrame({"symbol": self.symbols, "_place": range(len(self.symbols))}, _PLACES)
        rows = rows.join(days, on="date").join(places, on="symbol").join(amounts, on=["symbol", "date"], how="left")
        buys = rows.filter(side="buy").sort(
            "_day", pl.col("score").fill_null(-np.inf) * -1, pl.col("amount").fill_null(0) * -1, "symbol"
        )  # fmt: skip
        self._buys = [buys[name].to_list() for name in ("_place", "weight", "entry")]
        self._buy_ends = np.searchsorted(buys["_day"].to_numpy(), np.arange(len(prices.days) + 1)).tolist()
        sells = rows.filter(side="sell").sort("_day", "symbol")
        self._sells: list[int] = sells["_place"].to_list()
        self._sell_ends = np.searchsorted(sells["_day"].to_numpy(), np.arange(len(prices.days) + 1)).tolist()

    def buys(self, day: int) -> tuple[list[int], list[float | None], list[Entry | None]]:
        """Return the places, weights and entries of a day's buy signals in order of preference."""
        span = slice(self._buy_ends[day], self._buy_ends[day + 1])
        places, weights, entries = (values[span] for values in self._buys)
        return places, weights, entries

    def sells(self, day: int) -> set[int]:
        """Return the places of the symbols with a sell signal on a day."""
        return set(self._sells[self._sell_ends[day] : self._sell_ends[day + 1]])


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

    def refuse_all(self, day: date, symbols: list[str], reason: str) -> None:
        """Record purchases that were refused for the same reason."""
        if symbols:
            self.unfilled[f"buy: {reason}"] += len(symbols)
        if self.recorded:
            self.orders.extend(Order(day, symbol, "buy", self.strategy, None, 0, reason) for symbol in symbols)
