"""Everything that a backtest knows of the market, prepared once for any number of backtests."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from mystocks_dagster.market.backtesting.ex_days import ExDays, ex_days
from mystocks_dagster.market.backtesting.prices import Prices
from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS


@dataclass(frozen=True)
class Market:
    """The market of a backtest.

    Attributes:
        prices: The bars and what they say about orders.
        ex_days: Ex-dividend days by place of the day and symbol.
        gone: By place of the day, the symbols that are delisted before it.
        ends: By symbol, the day from which it is not traded, because an ex-dividend ratio is unknown.
    """

    prices: Prices
    ex_days: ExDays
    gone: Mapping[int, Sequence[str]] = field(default_factory=dict)
    ends: Mapping[str, date] = field(default_factory=dict)

    @property
    def days(self) -> list[date]:
        """The trading days, ascending."""
        return self.prices.days


def prepare(
    days: Sequence[date],
    bars: pl.DataFrame,
    events: pl.DataFrame,
    *,
    actions: pl.DataFrame | None = None,
    listed: Mapping[str, date] | None = None,
    delisted: Mapping[str, date] | None = None,
    ends: Mapping[str, date] | None = None,
) -> Market:
    """Prepare the market.

    Args:
        days: The trading days, ascending.
        bars: `symbol`, `date`, `open`, `high`, `low`, `close`, `prev_close`, `volume`, `amount`, `is_st` and
            `suspended`; a symbol without a bar counts as suspended.
        events: `symbol`, `date`, `ratio` (previous close as the exchange states it / last close), none of them null.
        actions: Rows of `corporate_actions`; None if there are none.
        listed: The first trading day of symbols, where it is known.
        delisted: The last day of listing of symbols that were delisted.
        ends: By symbol, the day from which it is not traded, because an ex-dividend ratio is unknown.
    """
    days = list(days)
    gone: dict[int, list[str]] = {}
    for symbol, last in sorted((delisted or {}).items()):
        place = bisect_right(days, last)
        if place < len(days):
            gone.setdefault(place, []).append(symbol)
    return Market(
        prices=Prices(bars, days, listed),
        ex_days=ex_days(events, CORPORATE_ACTIONS.empty() if actions is None else actions, bars, days),
        gone=gone,
        ends=ends or {},
    )
