"""An account that holds A shares: cash, lots of shares with their purchase days, dividends and the tax on them."""

import math
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

from mystocks_dagster.market.backtesting.dividend_tax import dividend_tax_rate, months_later
from mystocks_dagster.market.rules import Side

#: After so many months a dividend is no longer taxed, or no longer at a rate that changes.
_SETTLED = 12


class Trade(NamedTuple):
    """One filled order; price in CNY per share, raw; fees, tax and profit in CNY.

    Attributes:
        tax: The tax on dividends that the sale made due.
        profit: Of a sale: the amount less fees and tax, plus the dividends received, less the cost with its fees.
        strategy: The strategy that ordered it.
    """

    sequence: int
    date: date
    symbol: str
    side: Side
    shares: int
    price: float
    fees: float
    tax: float = 0.0
    profit: float | None = None
    strategy: str = ""


class AccountEvent(NamedTuple):
    """What happened to a holding without an order: `shares` and `cash` are the changes.

    Attributes:
        kind: dividend, bonus, rights, rights_lapsed, ratio (an ex-day known by its prices only) or delisted.
        profit: Of a delisting: what came back less the cost.
    """

    date: date
    symbol: str
    kind: str
    shares: int
    cash: float
    strategy: str = ""
    profit: float | None = None


@dataclass
class Lot:
    """Shares that were bought on one day.

    Attributes:
        cost: What they cost in CNY, fees included.
        received: Dividends received for them in CNY, before tax.
        dividends: Days and amounts of dividends whose tax is not settled.
    """

    shares: int
    bought: date
    cost: float
    received: float = 0.0
    dividends: list[tuple[date, float]] = field(default_factory=list)

    def split_off(self, shares: int) -> "Lot":
        """Take shares out of the lot with their part of its cost and dividends."""
        part = shares / self.shares
        taken = replace(
            self,
            shares=shares,
            cost=self.cost * part,
            received=self.received * part,
            dividends=[(day, cash * part) for day, cash in self.dividends],
        )
        self.shares -= shares
        self.cost -= taken.cost
        self.received -= taken.received
        self.dividends = [(day, cash * (1 - part)) for day, cash in self.dividends]
        return taken

    def tax(self, day: date) -> float:
        """Return the tax on its dividends if it is sold on a day, in CNY."""
        return sum(cash * dividend_tax_rate(paid, self.bought, day) for paid, cash in self.dividends)


@dataclass
class Position:
    """Shares of one symbol.

    Attributes:
        lots: In order of purchase.
        mark: Last known close in CNY, on the scale of the shares held.
        shares: The sum of the lots.
    """

    lots: list[Lot]
    mark: float
    shares: int

    @property
    def bought(self) -> date:
        """The day of the latest purchase."""
        return self.lots[-1].bought

    def sellable(self, day: date) -> int:
        """Return the shares that were bought before a day (T+1)."""
        return self.shares if self.bought < day else sum(lot.shares for lot in self.lots if lot.bought < day)

    def take(self, shares: int) -> list[Lot]:
        """Take shares out, first bought first."""
        taken = []
        self.shares -= shares
        while shares:
            lot = self.lots[0]
            taken.append(self.lots.pop(0) if lot.shares <= shares else lot.split_off(shares))
            shares -= taken[-1].shares
        return taken


class Account:
    """Cash (CNY, whole cents) and positions; orders that an exchange or a broker would refuse raise an error."""

    def __init__(self, cash: float, strategy: str = "", trades: list[Trade] | None = None) -> None:
        """Open an account; several accounts may number their trades together in one list."""
        self.cash = cash
        self.positions: dict[str, Position] = {}
        self.trades: list[Trade] = [] if trades is None else trades
        self.events: list[AccountEvent] = []
        self.strategy = strategy

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
            ValueError: The cash is not enough.
        """
        cost = round(shares * price + fees, 2)
        if cost > self.cash:
            raise ValueError(f"{day}: {shares} {symbol} cost {cost} CNY; the account has {self.cash} CNY.")
        self.cash = round(self.cash - cost, 2)
        lot = Lot(shares, day, cost)
        if position := self.positions.get(symbol):
            position.lots.append(lot)
            position.shares += shares
        else:
            self.positions[symbol] = Position([lot], price, shares)
        self._record(day, symbol, "buy", shares, price, fees)

    def sell(self, day: date, symbol: str, price: float, fees: float, shares: int | None = None) -> None:
        """Sell shares of a symbol, first bought first; None means all. The tax on their dividends is withheld.

        Raises:
            ValueError: They were bought on the same day (T+1) or are not held, or fees and tax exceed the account.
        """
        position = self.positions[symbol]
        shares = position.shares if shares is None else shares
        if shares > position.sellable(day):
            raise ValueError(
                f"{day}: {symbol} was bought on {position.bought} and cannot be sold before the next trading day."
            )
        due = self.tax(symbol, shares, day)
        cash = round(self.cash + shares * price - fees - due, 2)
        if cash < 0:
            raise ValueError(f"{day}: the fees of selling {symbol} exceed the account.")
        self.cash = cash
        lots = position.take(shares)
        if not position.shares:
            del self.positions[symbol]
        gained = sum(lot.received - lot.cost for lot in lots)
        self._record(day, symbol, "sell", shares, price, fees, due, round(shares * price - fees - due + gained, 2))

    def tax(self, symbol: str, shares: int, day: date) -> float:
        """Return the tax on dividends that a sale makes due, in CNY."""
        due, left = 0.0, shares
        for lot in self.positions[symbol].lots:
            if left <= 0:
                break
            due += lot.tax(day) * min(1.0, left / lot.shares)
            left -= lot.shares
        return round(due, 2)

    def pay_dividend(self, day: date, symbol: str, per_share: float) -> None:
        """Credit a cash dividend before tax; its tax is due when the shares are sold."""
        position = self.positions[symbol]
        for lot in position.lots:
            amount = lot.shares * per_share
            lot.received += amount
            lot.dividends = [item for item in lot.dividends if not _is_settled(item[0], lot.bought, day)]
            lot.dividends.append((day, amount))
        cash = round(position.shares * per_share, 2)
        self.cash = round(self.cash + cash, 2)
        self._happened(day, symbol, "dividend", 0, cash)

    def multiply(self, day: date, symbol: str, factor: float, kind: str) -> None:
        """Multiply the shares of each lot; a fraction of a share is lost."""
        position = self.positions[symbol]
        before = position.shares
        for lot in position.lots:
            # The tiny addend prevents 1000 / 0.2 from becoming 4999.
            lot.shares = math.floor(lot.shares * factor + 1e-9)
        self._count(symbol)
        self._happened(day, symbol, kind, position.shares - before, 0.0)

    def take_rights(self, day: date, symbol: str, offered: int, price: float) -> None:
        """Take the new shares that are offered, if the cash pays for all of them; otherwise they lapse."""
        position = self.positions[symbol]
        cost = round(offered * price, 2)
        if not offered or cost > self.cash:
            self.let_rights_lapse(day, symbol)
            return
        self.cash = round(self.cash - cost, 2)
        # They are bought on that day: their dividends are taxed from then on, and they are sold tomorrow at first.
        position.lots.append(Lot(offered, day, cost))
        position.shares += offered
        self._happened(day, symbol, "rights", offered, -cost)

    def let_rights_lapse(self, day: date, symbol: str) -> None:
        """Record that new shares were offered and not taken."""
        self._happened(day, symbol, "rights_lapsed", 0, 0.0)

    def go_ex(self, day: date, symbol: str, ratio: float) -> None:
        """Apply an ex-dividend or split event of which only the ratio is known: shares / ratio at close x ratio.

        Fractions of a share are paid in cash. The value of the position does not change, so it follows the hfq series:
        a cash dividend is thus reinvested at the ex-dividend price, without fee or tax.
        """
        position = self.positions[symbol]
        value, before = position.shares * position.mark, position.shares
        position.mark *= ratio
        for lot in position.lots:
            lot.shares = math.floor(lot.shares / ratio + 1e-9)
        self._count(symbol)
        cash = round(max(0.0, value - position.shares * position.mark), 2)
        self.cash = round(self.cash + cash, 2)
        self._happened(day, symbol, "ratio", position.shares - before, cash)

    def write_off(self, day: date, symbol: str, worth: float) -> None:
        """Remove the shares of a delisted stock; `worth` is the part of their last value that comes back in cash."""
        position = self.positions.pop(symbol)
        cash = round(position.shares * position.mark * worth, 2)
        self.cash = round(self.cash + cash, 2)
        profit = cash + sum(lot.received - lot.cost for lot in position.lots)
        self._happened(day, symbol, "delisted", -position.shares, cash, round(profit, 2))

    def _count(self, symbol: str) -> None:
        """Add up the lots; a position of which nothing is left ends."""
        position = self.positions[symbol]
        position.shares = sum(lot.shares for lot in position.lots)
        if not position.shares:
            del self.positions[symbol]

    def _record(
        self, day: date, symbol: str, side: Side, shares: int, price: float, fees: float, tax: float = 0.0,
        profit: float | None = None,
    ) -> None:  # fmt: skip
        number = len(self.trades) + 1
        self.trades.append(Trade(number, day, symbol, side, shares, price, fees, tax, profit, self.strategy))

    def _happened(
        self, day: date, symbol: str, kind: str, shares: int, cash: float, profit: float | None = None
    ) -> None:
        self.events.append(AccountEvent(day, symbol, kind, shares, cash, self.strategy, profit))


def _is_settled(paid: date, bought: date, day: date) -> bool:
    """Return whether no later sale changes the tax on a dividend, and there is none."""
    late = months_later(bought, _SETTLED) + timedelta(days=1)
    return day >= late and dividend_tax_rate(paid, bought, day) == 0
