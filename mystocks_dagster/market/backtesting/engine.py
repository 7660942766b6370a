"""Simulate trading strategies' signals day by day under the rules of the Chinese exchanges.

The steps of a trading day, in this order:

1. Ex-dividend days: dividends are paid, free shares and rights arrive; delisted shares are written off.
2. At the open, sell orders are executed, then holdings are brought to their targets where that is due, then the buy
   orders are executed.
3. At the close, holdings are marked to market, the equity is recorded, and the day's signals become the next day's
   orders.

A sell order that is not filled, or not wholly, is tried again every day until a buy signal cancels it. A buy order that
is not filled is dropped. Each purchase gets its share of the previous day's equity. Each strategy has an account of its
own, and all together are the result.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from mystocks_dagster.market.backtesting.account import AccountEvent, Trade
from mystocks_dagster.market.backtesting.market import Market
from mystocks_dagster.market.backtesting.orders import Order, Signals
from mystocks_dagster.market.backtesting.sleeve import Held, Sleeve
from mystocks_dagster.market.backtesting.terms import Terms, same_period


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
        orders: Every order of every day, if they were asked for.
        positions: Every holding after every close, if they were asked for.
        events: Dividends, free shares, rights, and delistings of held shares.
    """

    balances: list[Balance]
    trades: list[Trade]
    unfilled: Counter[str]
    orders: list[Order]
    positions: list[Held]
    events: list[AccountEvent]


def ordered(market: Market, signals: pl.DataFrame, strategies: Collection[str] = ("",)) -> dict[str, Signals]:
    """Order the signals of each strategy once, for any number of backtests.

    Args:
        market: The market.
        signals: As `backtest` takes them.
        strategies: The strategies by the column `strategy`; an empty name is all signals.
    """
    return {name: Signals(signals.filter(strategy=name) if name else signals, market.prices) for name in strategies}


def backtest(
    market: Market,
    signals: pl.DataFrame | Mapping[str, Signals],
    terms: Terms,
    *,
    weights: Mapping[str, float] | None = None,
    span: range | None = None,
    recorded: bool = True,
) -> BacktestResult:
    """Trade signals over the days of a market.

    Args:
        market: The market.
        signals: `symbol`, `date`, `side` and, with several strategies, `strategy`; `score`, `weight` and `entry` may be
            given. They are known after that day's close. A symbol with a buy and a sell signal of one strategy on one
            day is sold. Or the result of `ordered`.
        terms: The terms of the account.
        weights: The part of the capital of each strategy; None is one strategy.
        span: The places of the days to trade, without a step; None is all. Nothing of other days counts.
        recorded: Whether orders and positions are returned.
    """
    trades: list[Trade] = []
    weights = weights or {"": 1.0}
    prepared = signals if isinstance(signals, Mapping) else ordered(market, signals, weights)
    sleeves = [
        Sleeve(market, prepared[name], terms, name, weight, trades=trades, recorded=recorded)
        for name, weight in weights.items()
    ]
    span = range(len(market.days)) if span is None else span
    balances = [_trade_day(place, market, sleeves, terms, more=place + 1 < span.stop) for place in span]
    return BacktestResult(
        balances,
        trades,
        sum((sleeve.book.unfilled for sleeve in sleeves), Counter()),
        [order for sleeve in sleeves for order in sleeve.book.orders],
        [held for sleeve in sleeves for held in sleeve.held],
        sorted(event for sleeve in sleeves for event in sleeve.account.events),
    )


def _trade_day(place: int, market: Market, sleeves: Sequence[Sleeve], terms: Terms, *, more: bool) -> Balance:
    day = market.days[place]
    for sleeve in sleeves:
        sleeve.open(place)
        sleeve.close(place)
    if more and not same_period(terms.rebalance, day, market.days[place + 1]):
        level(sleeves)
        for sleeve in sleeves:
            sleeve.rebalance_next()
    for sleeve in sleeves:
        sleeve.place_orders(place)
    cash = round(sum(sleeve.account.cash for sleeve in sleeves), 2)
    holdings = round(sum(sleeve.account.holdings for sleeve in sleeves), 2)
    return Balance(day, cash, holdings, round(cash + holdings, 2))


def level(sleeves: Sequence[Sleeve]) -> None:
    """Move cash from strategies above their part of the whole equity to those below it, as far as there is cash."""
    if len(sleeves) == 1:
        return
    whole = sum(sleeve.account.equity for sleeve in sleeves)
    above = [sleeve.account.equity - sleeve.part * whole for sleeve in sleeves]
    given = [min(max(0.0, excess), sleeve.account.cash) for excess, sleeve in zip(above, sleeves, strict=True)]
    lacking = [max(0.0, -excess) for excess in above]
    moved = min(sum(given), sum(lacking))
    if moved < 0.01:
        return
    for sleeve, gift, lack in zip(sleeves, given, lacking, strict=True):
        sleeve.move_cash(round(moved * lack / sum(lacking) - moved * gift / sum(given), 2))
