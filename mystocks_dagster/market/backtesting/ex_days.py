"""Ex-dividend days of held shares: dividends, free shares and rights as published, else the ratio of the prices."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from mystocks_dagster.market.actions import combined
from mystocks_dagster.market.adjust import TERMS, Action, ex_right_price
from mystocks_dagster.market.backtesting.account import Account
from mystocks_dagster.market.backtesting.terms import Terms

#: The exchange rounds the ex-right price, and so does each vendor: a difference of a tick is none.
_TICK = 0.01 + 1e-9


class ExDay(NamedTuple):
    """An ex-dividend day of a symbol.

    Attributes:
        ratio: Previous close as the exchange states it / last close; 1 without a change.
        action: The published terms; None if they are not known, or sources differ, or there are several.
    """

    ratio: float
    action: Action | None


#: By the place of a day and by symbol: its ex-day.
ExDays = dict[int, dict[str, ExDay]]


def ex_days(events: pl.DataFrame, actions: pl.DataFrame, bars: pl.DataFrame, days: Sequence[date]) -> ExDays:
    """Return the ex-days by the place of the day on which an account notices them.

    Args:
        events: `symbol`, `date` and `ratio`, none of them null.
        actions: Rows of `corporate_actions` of all sources.
        bars: `symbol` and `date`: an action takes effect on the symbol's first bar from its ex-day on.
        days: The trading days, ascending.
    """
    ratios = {(symbol, day): ratio for symbol, day, ratio in events.select("symbol", "date", "ratio").iter_rows()}
    terms = _terms(actions, bars)
    result: ExDays = {}
    for symbol, day in sorted({*ratios, *terms}, key=lambda key: (key[1], key[0])):
        place = bisect_left(days, day)
        if place < len(days):
            item = ExDay(ratios.get((symbol, day), 1.0), terms.get((symbol, day)))
            here = result.setdefault(place, {})
            # Two days that an account notices at once are one step of the product of their ratios.
            here[symbol] = ExDay(here[symbol].ratio * item.ratio, None) if symbol in here else item
    return result


def _terms(actions: pl.DataFrame, bars: pl.DataFrame) -> dict[tuple[str, date], Action | None]:
    """Return the terms by symbol and day; None where sources differ or several actions fall on one bar."""
    if actions.is_empty():
        return {}
    stated = combined(actions.join(bars.select("symbol").unique(), on="symbol", how="semi")).sort("ex_date")
    first = stated.join_asof(
        bars.select("symbol", "date").sort("date"), left_on="ex_date", right_on="date", by="symbol",
        strategy="forward", check_sortedness=False,
    ).drop_nulls("date")  # fmt: skip
    terms: dict[tuple[str, date], Action | None] = {}
    for symbol, day, agreed, *values in first.select("symbol", "date", "agreed", *TERMS).iter_rows():
        cash, bonus, rights, rights_price, split = values
        action = (cash or 0.0, bonus or 0.0, rights, rights_price, split)
        terms[symbol, day] = action if agreed and (symbol, day) not in terms else None
    return terms


def apply_ex_day(account: Account, day: date, symbol: str, ex_day: ExDay, terms: Terms) -> None:
    """Apply an ex-day to a held position: its published terms if they explain the price, else its ratio."""
    position = account.positions[symbol]
    after = position.mark * ex_day.ratio
    action = ex_day.action if terms.dividends == "cash" else None
    if action is None or abs(ex_right_price(position.mark, [action]) - after) > _TICK:
        if ex_day.ratio != 1.0:
            account.go_ex(day, symbol, ex_day.ratio)
        return
    cash, bonus, rights, rights_price, split = action
    held = position.shares
    if cash:
        account.pay_dividend(day, symbol, cash)
    if bonus or (split or 1.0) != 1.0:
        account.multiply(day, symbol, (1 + bonus) * (split or 1.0), "bonus")
    if rights and rights_price and terms.rights == "take" and symbol in account.positions:
        account.take_rights(day, symbol, math.floor(held * rights + 1e-9), rights_price)
    elif rights:
        account.let_rights_lapse(day, symbol)
    position.mark = after
