"""Trading a strategy's signals under the rules of the Chinese exchanges, day by day.

What happens on a trading day, in this order:

1. Ex-dividend and split days change the shares held, not their value.
2. At the open: what is to be sold is sold, then what the day before said to buy is bought.
3. At the close: holdings are marked, the equity is noted, and the day's signals become orders for the next day.

A sale that cannot be done (suspended, open at the lower limit) is tried again every day until a buy signal takes it
back; a purchase that cannot be done is dropped. Where it is not known whether a stock is ST, an open at the narrow
limit of ST stocks is not traded at: a limit that is not known is not the wide one. Signals of one day compete for free
places by the amount traded that day, largest first. Each purchase gets an equal share of the equity of the evening
before.

Not modelled: slippage, the order's own weight in the market, taxes on dividends, the free days of new listings (no
strategy speaks that early). A share that is delisted stays in the account at its last close.
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
    """The account's terms: capital and the smallest commission in CNY, rates as fractions."""

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
class Outcome:
    """What became of the account.

    Attributes:
        balances: One per trading day; the first is the capital, as nothing is traded that day.
        trades: In order of filling.
        unfilled: Why orders were not filled, to how often; an order that is tried on several days counts each time.
    """

    balances: list[Balance]
    trades: list[Trade]
    unfilled: Counter[str]


@dataclass
class Orders:
    """What the next open is to do: symbols to sell until sold, and symbols to buy in order of preference."""

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
) -> Outcome:
    """Trade `signals` over `days`.

    Args:
        days: The trading days, ascending.
        signals: `symbol`, `date`, `side`; known after that day's close. A symbol that is said to be bought and sold
            on one day is sold.
        bars: `symbol`, `date`, `open`, `close`, `prev_close`, `amount`, `is_st`, `suspended`; a symbol without a bar
            is taken as suspended.
        events: `symbol`, `date`, `ratio` (previous close as the exchange states it / last close), none of them null.
        terms: The account's terms.
        ends: The first day of each symbol whose bars end because an ex-dividend ratio is not known; it is not traded
            from then on, and shares that are held stay at their last close.
    """
    said, ratios = _ranked(signals, bars), _by_symbol(events)
    desk = _Desk(PriceMatrix(bars), terms, ends)
    for day in days:
        desk.open(day, ratios)
        desk.close(day)
        desk.listen(said.get(day, []))
    return Outcome(desk.balances, desk.account.trades, desk.unfilled)


def _ranked(signals: pl.DataFrame, bars: pl.DataFrame) -> dict[date, list[tuple[str, Side]]]:
    """Return each day's (symbol, side), in order of the amount traded that day."""
    amounts = bars.select("symbol", "date", "amount")
    rows = signals.select("symbol", "date", "side").unique().join(amounts, on=["symbol", "date"], how="left")
    found: dict[date, list[tuple[str, Side]]] = {}
    for day, symbol, side in (
        rows.sort(pl.col("amount").fill_null(0) * -1, "symbol").select("date", "symbol", "side").iter_rows()
    ):
        found.setdefault(day, []).append((symbol, side))
    return found


def _by_symbol(events: pl.DataFrame) -> dict[str, list[tuple[date, float]]]:
    found: dict[str, list[tuple[date, float]]] = {}
    for symbol, day, ratio in events.sort("symbol", "date").select("symbol", "date", "ratio").iter_rows():
        found.setdefault(symbol, []).append((day, ratio))
    return found


class _Desk:
    """The account on its way through the days."""

    def __init__(self, book: PriceMatrix, terms: Terms, ends: Mapping[str, date]) -> None:
        self.account = Portfolio(terms.initial_capital)
        self.balances: list[Balance] = []
        self.unfilled: Counter[str] = Counter()
        self._book, self._terms, self._ends, self._orders = book, terms, ends, Orders()

    def open(self, day: date, ratios: dict[str, list[tuple[date, float]]]) -> None:
        """Carry the holdings over the night and fill the orders."""
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
        """Mark the holdings and note the equity; what is not traded keeps its last close, less what went ex."""
        for symbol, position in self.account.positions.items():
            bar = self._book.get(symbol, day)
            position.mark = bar.close if bar and not bar.suspended else position.mark
        self.balances.append(Balance(day, self.account.cash, self.account.holdings, self.account.equity))

    def listen(self, said: list[tuple[str, Side]]) -> None:
        """Turn the evening's signals into the next day's orders."""
        held = self.account.positions
        buy = [symbol for symbol, side in said if side == "buy"]
        sell = {symbol for symbol, side in said if side == "sell"}
        waiting = (self._orders.sell & held.keys()) - set(buy)
        self._orders = Orders(
            waiting | (sell & held.keys()), [symbol for symbol in buy if symbol not in held and symbol not in sell]
        )

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
        """Return the largest order that one place's money pays for, fees included."""
        place = min(self.balances[-1].equity / self._terms.max_positions, self.account.cash)
        # The fees of the whole sum are at least those of the order, so the order never costs more than the sum.
        return buyable(board, max(0.0, place - self._terms.fees("buy", place, day)) / price)

    def _tradable(self, day: date, symbol: str, side: Side) -> Bar | None:
        """Return the bar if its open can be traded at; else count why not."""
        bar = self._book.get(symbol, day)
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
    """Whether the price stands at the limit of an ST stock, so that it matters whether this is one.

    A price beyond that limit shows that it is none.
    """
    board = board_of(symbol)
    limits = (price_limit(board, day, is_st=is_st) if board else None for is_st in (True, False))
    narrow, wide = ((limit_cents(in_cents(prev_close), limit.up, limit.down) if limit else None) for limit in limits)
    if narrow is None or narrow == wide:
        return False
    return in_cents(price) == (narrow[1] if side == "buy" else narrow[0])


def _at_limit(symbol: str, day: date, price: float, prev_close: float, is_st: bool, side: Side) -> bool:
    """Whether nobody is on the other side: the price stands at the upper limit for a buyer, at the lower for a seller."""
    board = board_of(symbol)
    limit = price_limit(board, day, is_st=is_st) if board else None
    return limit is not None and at_limit(side, price, prev_close, limit)
