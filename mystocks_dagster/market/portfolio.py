"""An account that holds A shares: cash, positions and trades."""

import math
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from mystocks_dagster.market.rules import Side


class Trade(NamedTuple):
    """One filled order; price in CNY per share, raw; fees in CNY."""

    sequence: int
    date: date
    symbol: str
    side: Side
    shares: int
    price: float
    fees: float


@dataclass
class Position:
    """Shares of one symbol.

    Attributes:
        bought: The day of the latest purchase; those shares cannot be sold before the next trading day (T+1).
        mark: Last known close in CNY, on the scale of the shares held.
    """

    shares: int
    bought: date
    mark: float


class Portfolio:
    """Cash (CNY, whole cents) and positions; orders that an exchange or a broker would refuse raise an error."""

    def __init__(self, cash: float) -> None:
        self.cash = cash
        self.positions: dict[str, Position] = {}
        self.trades: list[Trade] = []

    @property
    def holdings(self) -> float:
        """Value of the positions at their last known closes, in CNY."""
        return round(math.fsum(position.shares * position.mark for position in self.positions.values()), 2)

    @property
    def equity(self) -> float:
        """Cash and holdings, in CNY."""
        return round(self.cash + self.holdings, 2)

    def buy(self, day: date, symbol: str, shares: int, price: float, fees: float) -> None:
        """Buy shares.

        Raises:
            ValueError: The cash is not enough, or the symbol is held already.
        """
        cost = round(shares * price + fees, 2)
        if cost > self.cash:
            raise ValueError(f"{day}: {shares} {symbol} cost {cost} CNY; the account has {self.cash} CNY.")
        if symbol in self.positions:
            raise ValueError(f"{day}: {symbol} is held already.")
        self.cash = round(self.cash - cost, 2)
        self.positions[symbol] = Position(shares, day, price)
        self._record(day, symbol, "buy", shares, price, fees)

    def sell(self, day: date, symbol: str, price: float, fees: float) -> None:
        """Sell all shares of a symbol.

        Raises:
            ValueError: They were bought on the same day (T+1), or the fees exceed the account.
        """
        position = self.positions[symbol]
        if position.bought >= day:
            raise ValueError(
                f"{day}: {symbol} was bought on {position.bought} and cannot be sold before the next trading day."
            )
        cash = round(self.cash + position.shares * price - fees, 2)
        if cash < 0:
            raise ValueError(f"{day}: the fees of selling {symbol} exceed the account.")
        self.cash = cash
        del self.positions[symbol]
        self._record(day, symbol, "sell", position.shares, price, fees)

    def go_ex(self, symbol: str, ratio: float) -> None:
        """Apply an ex-dividend or split event: shares / ratio at close x ratio, fractions of a share paid in cash.

        The value of the position does not change, so it follows the hfq series. A cash dividend is thus reinvested at
        the ex-dividend price, without fee or tax.
        """
        position = self.positions[symbol]
        value = position.shares * position.mark
        position.mark *= ratio
        # The tiny addend prevents 1000 / 0.2 from becoming 4999.
        position.shares = math.floor(position.shares / ratio + 1e-9)
        self.cash = round(self.cash + max(0.0, value - position.shares * position.mark), 2)

    def _record(self, day: date, symbol: str, side: Side, shares: int, price: float, fees: float) -> None:
        self.trades.append(Trade(len(self.trades) + 1, day, symbol, side, shares, price, fees))
