"""One strategy of a backtest: its account, its orders for the next open, and how they are executed."""

from datetime import date
from typing import NamedTuple

from mystocks_dagster.market.backtesting.account import Account, Trade
from mystocks_dagster.market.backtesting.ex_days import apply_ex_day
from mystocks_dagster.market.backtesting.fills import Fill, board_fill, open_fill
from mystocks_dagster.market.backtesting.market import Market
from mystocks_dagster.market.backtesting.orders import BUY, SELL, Entry, OrderBook, Signals
from mystocks_dagster.market.backtesting.terms import Terms
from mystocks_dagster.market.rules import Side, buyable, sellable
from mystocks_dagster.market.symbols import Board, board_of

#: A holding is rebalanced if it is further from its target than this part of it.
_BAND = 0.05


class Held(NamedTuple):
    """A holding after a close: shares, the price it is valued at (CNY per share) and its value (CNY)."""

    date: date
    symbol: str
    strategy: str
    shares: int
    price: float
    value: float


class Sleeve:
    """The state of one strategy: account, orders for the next open, and what happened so far."""

    def __init__(
        self,
        market: Market,
        signals: Signals,
        terms: Terms,
        strategy: str = "",
        part: float = 1.0,
        *,
        trades: list[Trade],
        recorded: bool,
    ) -> None:
        """Begin with the strategy's part of the capital."""
        self.account = Account(round(terms.initial_capital * part, 2), strategy, trades)
        self.book = OrderBook(strategy, recorded)
        self.held: list[Held] = []
        self.part = part
        self._market, self._signals, self._terms = market, signals, terms
        self._prices = market.prices
        self._equity = self.account.equity
        self._sell: set[str] = set()
        self._buy = range(0)
        self._staying: set[int] = set()
        self._targets: dict[str, float] = {}
        self._since: dict[str, int] = {}
        self._rebalances = False

    # ---- the steps of a day

    def open(self, place: int) -> None:
        """Apply ex-days and delistings, then execute the orders."""
        day = self._market.days[place]
        for symbol, ex_day in self._market.ex_days.get(place, {}).items():
            if symbol in self.account.positions:
                apply_ex_day(self.account, day, symbol, ex_day, self._terms)
        for symbol in self._market.gone.get(place, ()):
            if symbol in self.account.positions:
                self.account.write_off(day, symbol, self._terms.delisting_value)
        for symbol in sorted(self._sell & self.account.positions.keys()):
            self._sell_shares(place, symbol, self.account.positions[symbol].shares)
        if self._rebalances:
            self._rebalance(place)
        self._buy_all(place)

    def close(self, place: int) -> None:
        """Mark the holdings to market; a symbol without a trade keeps its last close."""
        prices, day = self._prices, self._market.days[place]
        for symbol, position in self.account.positions.items():
            row = prices.rows[prices.places[symbol], place]
            if row >= 0 and prices.traded[row]:
                position.mark = float(prices.close[row])
            if self.book.recorded:
                value = round(position.shares * position.mark, 2)
                self.held.append(Held(day, symbol, self.account.strategy, position.shares, position.mark, value))
        self._equity = self.account.equity

    def place_orders(self, place: int) -> None:
        """Turn the day's signals into the next day's orders."""
        sales, places, said = set(), self._prices.places, self._signals.said
        self._staying = set()
        for symbol in self.account.positions:
            index = places[symbol]
            side = said[index, place]
            if side == BUY:
                self._staying.add(index)
            if side == SELL or (symbol in self._sell and side != BUY) or self._is_over(symbol, place):
                sales.add(symbol)
        self._sell, self._buy = sales, self._signals.of(place)

    def rebalance_next(self) -> None:
        """Bring the holdings to their targets at the next open."""
        self._rebalances = True

    def move_cash(self, amount: float) -> None:
        """Add cash from other strategies, or give some to them."""
        self.account.cash = round(self.account.cash + amount, 2)
        self._equity = self.account.equity

    # ---- orders

    def _buy_all(self, place: int) -> None:
        """Buy by the signals of the evening before, except what was held then."""
        day, positions, signals = self._market.days[place], self.account.positions, self._signals
        held = 0
        for number in self._buy:
            index = signals.buys[number]
            if index in self._staying:
                held += 1
            elif len(positions) >= self._terms.max_positions:
                self._refuse(day, range(number, self._buy.stop), len(self._staying) - held)
                break
            else:
                self._buy_one(place, signals.symbols[index], signals.weights[number], signals.entries[number])

    def _refuse(self, day: date, numbers: range, held: int) -> None:
        """Refuse the buy signals with these numbers, of which `held` are of held symbols."""
        symbols: list[str] = []
        if self.book.recorded:
            places = (self._signals.buys[number] for number in numbers)
            symbols = [self._signals.symbols[index] for index in places if index not in self._staying]
        self.book.refuse(day, "no free place", len(numbers) - held, symbols)

    def _buy_one(self, place: int, symbol: str, weight: float | None, entry: Entry | None) -> None:
        part = weight if weight is not None else 1 / self._terms.max_positions
        self._buy_worth(place, symbol, self._equity * part, entry or "open")
        if symbol in self.account.positions:
            self._targets[symbol], self._since[symbol] = part, place

    def _buy_worth(self, place: int, symbol: str, budget: float, entry: Entry = "open") -> None:
        """Buy shares for at most `budget` CNY, fees included."""
        day, board = self._market.days[place], board_of(symbol)
        if board is None:
            self.book.add(day, symbol, "buy", "not an A share")
            return
        reason, row, price = self._fill(place, symbol, "buy", entry)
        if reason:
            self.book.add(day, symbol, "buy", reason)
            return
        wanted = self._affordable(board, price, budget, day)
        if not wanted:
            self.book.add(day, symbol, "buy", "not enough for a lot")
            return
        shares = buyable(board, min(wanted, self._most(row)))
        if shares:
            amount = shares * price
            self.account.buy(day, symbol, shares, price, self._terms.fees("buy", amount, day))
        self.book.add(day, symbol, "buy", "" if shares == wanted else "beyond the volume share", wanted, shares)

    def _sell_shares(self, place: int, symbol: str, wanted: int) -> None:
        day, board = self._market.days[place], board_of(symbol)
        reason, row, price = self._fill(place, symbol, "sell", "open")
        position = self.account.positions[symbol]
        free = position.sellable(day)
        if not reason and not free:
            reason = "bought today"
        if reason or board is None:
            self.book.add(day, symbol, "sell", reason or "not an A share")
            return
        shares = sellable(board, min(wanted, free, self._most(row)), position.shares)
        if shares:
            self.account.sell(day, symbol, price, self._terms.fees("sell", shares * price, day), shares)
        self.book.add(day, symbol, "sell", "" if shares == wanted else "beyond the volume share", wanted, shares)

    def _affordable(self, board: Board, price: float, budget: float, day: date) -> int:
        """Return the largest order that the budget and the cash pay for, fees included."""
        budget = min(budget, self.account.cash)
        # The fees of the whole budget are at least those of the order, so the order never costs more than the budget.
        return buyable(board, max(0.0, budget - self._terms.fees("buy", budget, day)) / price)

    def _most(self, row: int) -> float:
        """Return the largest part of the day's volume that an order may be."""
        share = self._terms.volume_share
        return float("inf") if share is None else float(self._prices.volume[row]) * share

    def _fill(self, place: int, symbol: str, side: Side, entry: Entry) -> tuple[str, int, float]:
        """Return why an order cannot be filled (empty if it can), the row of the bar and the price."""
        if self._market.days[place] >= self._market.ends.get(symbol, date.max):
            return "ex-dividend ratio not known", -1, 0.0
        index = self._prices.places.get(symbol)
        row = -1 if index is None else int(self._prices.rows[index, place])
        fill: Fill = board_fill(self._prices, row) if entry == "board" else open_fill(self._prices, row, side)
        if fill.reason:
            return fill.reason, row, 0.0
        limits = int(self._prices.lowest[row]), int(self._prices.highest[row])
        return "", row, self._terms.price(side, fill.price, *limits)

    # ---- targets

    def _rebalance(self, place: int) -> None:
        """Sell what is above its target, then buy what is below."""
        self._rebalances = False
        staying = sorted(self.account.positions.keys() - self._sell)
        excess = {symbol: self._excess(symbol) for symbol in staying}
        for symbol in staying:
            position, board = self.account.positions[symbol], board_of(symbol)
            shares = sellable(board, max(0.0, excess[symbol]) / position.mark, position.shares) if board else 0
            if shares:
                self._sell_shares(place, symbol, shares)
        for symbol in staying:
            # Less than a lot is no order.
            if symbol in self.account.positions and -excess[symbol] > 100 * self.account.positions[symbol].mark:
                self._buy_worth(place, symbol, -excess[symbol])

    def _excess(self, symbol: str) -> float:
        """Return by how much a holding is above its target, in CNY; 0 near it."""
        position = self.account.positions[symbol]
        target = self._equity * self._targets.get(symbol, 1 / self._terms.max_positions)
        excess = position.shares * position.mark - target
        return excess if abs(excess) > _BAND * target else 0.0

    def _is_over(self, symbol: str, place: int) -> bool:
        """Return whether a holding is to be sold by its time or its loss."""
        terms, position = self._terms, self.account.positions[symbol]
        if terms.holding_days is not None and place + 1 - self._since.get(symbol, place) >= terms.holding_days:
            return True
        if terms.stop_loss is None:
            return False
        cost = sum(lot.cost - lot.received for lot in position.lots)
        return position.shares * position.mark < cost * (1 - terms.stop_loss)
