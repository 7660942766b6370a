"""Simulate trading a strategy's signals day by day under the rules of the Chinese exchanges.

The steps of a trading day, in this order:

1. Ex-dividend and split events change the number of shares held, not their value.
2. At the open, sell orders are executed, then the buy orders.
3. At the close, holdings are marked to market, the equity is recorded, and the day's signals become the next day's
   orders.

A sell order that cannot be executed (suspended, open at the lower limit) is retried every day until a buy signal
cancels it. A buy order that cannot be executed is dropped. If it is unknown whether a stock is ST, an open at the
narrow limit of ST stocks is not traded. Buy signals of one day are ranked by the amount traded that day, largest
first. Each purchase gets an equal share of the previous day's equity.

Not modelled: slippage, market impact, taxes on dividends, days without a price limit after a listing (no strategy has
a signal that early). A delisted share stays in the account at its last close.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from mystocks_dagster.market.portfolio import Portfolio, Trade
from mystocks_dagster.market.price_matrix import Bar, PriceMatrix
from mystocks_dagster.market.rules import (
    COMMISSION_MIN,
    COMMISSION_RATE,
    Side,
    at_limit,
    buyable,
    fees,
    in_cents,
    limit_cents,
    price_limit,
)
from mystocks_dagster.market.symbols import Board, board_of


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The account's terms: capital and minimum commission in CNY, rates as fractions."""

    initial_capital: float = 1_000_000.0
    max_positions: int = 10
    commission_rate: float = COMMISSION_RATE
    commission_min: float = COMMISSION_MIN

    def fees(self, side: Side, amount: float, day: date) -> float:
        """Return all fees of an order, in CNY."""
        return fees(side, amount, day, commission_rate=self.commission_rate, commission_min=self.commission_min).total


class Balance(NamedTuple):
    """The account after one day's close, in CNY."""

    date: date
    cash: float
    holdings: float
    equity: float


@dataclass(frozen=True)
class BacktestResult:
    """The account's history.

    Attributes:
        balances: One per trading day; the first is the initial capital, as nothing is traded that day.
        trades: In order of execution.
        unfilled: The number of unfilled orders by reason; an order that is retried counts once a day.
    """

    balances: list[Balance]
    trades: list[Trade]
    unfilled: Counter[str]


@dataclass
class Orders:
    """Orders for the next open: symbols to sell until they are sold, and symbols to buy in order of preference."""

    sell: set[str] = field(default_factory=set)
    buy: list[str] = field(default_factory=list)


def backtest(
    days: Sequence[date],
    signals: pl.DataFrame,
    bars: pl.DataFrame,
    events: pl.DataFrame,
    terms: Terms,
    *,
    ends: Mapping[str, date] = MappingProxyType({}),
) -> BacktestResult:
    """Trade `signals` over `days`.

    Args:
        days: The trading days, ascending.
        signals: `symbol`, `date`, `side`; known after that day's close. A symbol with a buy and a sell signal on one
            day is sold.
        bars: `symbol`, `date`, `open`, `close`, `prev_close`, `amount`, `is_st`, `suspended`; a symbol without a bar
            counts as suspended.
        events: `symbol`, `date`, `ratio` (previous close as the exchange states it / last close), none of them null.
        terms: The account's terms.
        ends: By symbol, the day from which it is not traded, because an ex-dividend ratio is unknown. Shares held
            stay at their last close.
    """
    signals_by_day, ratios = _ranked(signals, bars), _by_symbol(events)
    simulation = _Simulation(PriceMatrix(bars), terms, ends)
    for day in days:
        simulation.open(day, ratios)
        simulation.close(day)
        simulation.place_orders(signals_by_day.get(day, []))
    return BacktestResult(simulation.balances, simulation.account.trades, simulation.unfilled)


def _ranked(signals: pl.DataFrame, bars: pl.DataFrame) -> dict[date, list[tuple[str, Side]]]:
    """Return each day's (symbol, side), largest amount traded that day first."""
    amounts = bars.select("symbol", "date", "amount")
    rows = signals.select("symbol", "date", "side").unique().join(amounts, on=["symbol", "date"], how="left")
    rows = rows.sort(pl.col("amount").fill_null(0) * -1, "symbol").select("date", "symbol", "side")
    signals_by_day: dict[date, list[tuple[str, Side]]] = {}
    for day, symbol, side in rows.iter_rows():
        signals_by_day.setdefault(day, []).append((symbol, side))
    return signals_by_day


def _by_symbol(events: pl.DataFrame) -> dict[str, list[tuple[date, float]]]:
    ratios: dict[str, list[tuple[date, float]]] = {}
    for symbol, day, ratio in events.sort("symbol", "date").select("symbol", "date", "ratio").iter_rows():
        ratios.setdefault(symbol, []).append((day, ratio))
    return ratios


class _Simulation:
    """The state of a backtest: account, orders for the next open, and what happened so far."""

    def __init__(self, prices: PriceMatrix, terms: Terms, ends: Mapping[str, date]) -> None:
        self.account = Portfolio(terms.initial_capital)
        self.balances: list[Balance] = []
        self.unfilled: Counter[str] = Counter()
        self._prices, self._terms, self._ends, self._orders = prices, terms, ends, Orders()

    def open(self, day: date, ratios: dict[str, list[tuple[date, float]]]) -> None:
        """Apply the ex-dividend events since the last trading day and execute the orders."""
        if self.balances:
            since = self.balances[-1].date
            for symbol in self.account.positions:
                for _, ratio in (event for event in ratios.get(symbol, ()) if since < event[0] <= day):
                    self.account.go_ex(symbol, ratio)
        for symbol in sorted(self._orders.sell):
            self._sell(day, symbol)
        for symbol in self._orders.buy:
            self._buy(day, symbol)

    def close(self, day: date) -> None:
        """Mark the holdings to market and record the equity; a symbol without a trade keeps its last close."""
        for symbol, position in self.account.positions.items():
            bar = self._prices.get(symbol, day)
            position.mark = bar.close if bar and not bar.suspended else position.mark
        self.balances.append(Balance(day, self.account.cash, self.account.holdings, self.account.equity))

    def place_orders(self, signals: list[tuple[str, Side]]) -> None:
        """Turn the day's signals into the next day's orders."""
        held = self.account.positions
        buy = [symbol for symbol, side in signals if side == "buy"]
        sell = {symbol for symbol, side in signals if side == "sell"}
        pending = (self._orders.sell & held.keys()) - set(buy)
        excluded = held.keys() | sell
        new = [symbol for symbol in buy if symbol not in excluded]
        self._orders = Orders(pending | (sell & held.keys()), new)

    def _sell(self, day: date, symbol: str) -> None:
        bar = self._tradable(day, symbol, "sell")
        if bar:
            amount = self.account.positions[symbol].shares * bar.open
            self.account.sell(day, symbol, bar.open, self._terms.fees("sell", amount, day))

    def _buy(self, day: date, symbol: str) -> None:
        board = board_of(symbol)
        if len(self.account.positions) >= self._terms.max_positions:
            self.unfilled["buy: no free place"] += 1
        elif board is None:
            self.unfilled["buy: not an A share"] += 1
        elif bar := self._tradable(day, symbol, "buy"):
            shares = self._affordable(board, bar.open, day)
            if shares:
                self.account.buy(day, symbol, shares, bar.open, self._terms.fees("buy", shares * bar.open, day))
            else:
                self.unfilled["buy: not enough for a lot"] += 1

    def _affordable(self, board: Board, price: float, day: date) -> int:
        """Return the largest order that the budget of one position pays for, fees included."""
        budget = min(self.balances[-1].equity / self._terms.max_positions, self.account.cash)
        # The fees of the whole budget are at least those of the order, so the order never costs more than the budget.
        return buyable(board, max(0.0, budget - self._terms.fees("buy", budget, day)) / price)

    def _tradable(self, day: date, symbol: str, side: Side) -> Bar | None:
        """Return the bar if an order can be filled at its open; otherwise count the reason and return None."""
        bar = self._prices.get(symbol, day)
        if day >= self._ends.get(symbol, date.max):
            self.unfilled[f"{side}: ex-dividend ratio not known"] += 1
        elif bar is None or bar.suspended:
            self.unfilled[f"{side}: suspended"] += 1
        elif bar.prev_close is None:
            self.unfilled[f"{side}: price limit not known"] += 1
        elif _at_limit(symbol, day, bar.open, bar.prev_close, bool(bar.is_st), side):
            self.unfilled[f"{side}: open at the limit"] += 1
        elif bar.is_st is None and _at_narrow_limit(symbol, day, bar.open, bar.prev_close, side):
            self.unfilled[f"{side}: price limit not known"] += 1
        else:
            return bar
        return None


def _at_narrow_limit(symbol: str, day: date, price: float, prev_close: float, side: Side) -> bool:
    """Return whether the price equals the limit of an ST stock.

    A price beyond that limit proves that the stock is not ST.
    """
    board = board_of(symbol)
    limits = (price_limit(board, day, is_st=is_st) if board else None for is_st in (True, False))
    narrow, wide = ((limit_cents(in_cents(prev_close), limit.up, limit.down) if limit else None) for limit in limits)
    if narrow is None or narrow == wide:
        return False
    return in_cents(price) == (narrow[1] if side == "buy" else narrow[0])


def _at_limit(symbol: str, day: date, price: float, prev_close: float, is_st: bool, side: Side) -> bool:
    """Return whether an order cannot be filled: a buy at the upper limit or a sell at the lower limit."""
    board = board_of(symbol)
    limit = price_limit(board, day, is_st=is_st) if board else None
    return limit is not None and at_limit(side, price, prev_close, limit)
