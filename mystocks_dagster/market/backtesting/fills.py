"""Whether a bar proves that an order was filled, and at which price; what a bar does not prove is not filled."""

from typing import NamedTuple

from mystocks_dagster.market.backtesting.prices import OPEN_REASONS, SUSPENDED, UNKNOWN, Prices
from mystocks_dagster.market.rules import Side

#: A limit above this, in cents, is that of a day without a limit.
_NO_LIMIT = 10**8


class Fill(NamedTuple):
    """A fill: why there is none (empty if there is), and the price in CNY without slippage."""

    reason: str
    price: float = 0.0


def open_fill(prices: Prices, row: int, side: Side) -> Fill:
    """Return the fill of an order at the open: none at the limit, even if the price left it later in the day."""
    if row < 0:
        return Fill(OPEN_REASONS[SUSPENDED])
    code = int((prices.buys if side == "buy" else prices.sells)[row])
    return Fill(OPEN_REASONS[code], float(prices.open[row]))


def board_fill(prices: Prices, row: int) -> Fill:
    """Return the fill of a purchase at the upper limit, placed before the open (打板).

    The bar proves the fill if the price left the limit after it was there: the open was at the limit and the low below
    it, or the high was at the limit and the close below it. A stock that is sealed at its limit all day is not bought.
    One that rises to its limit and closes there may or may not have been sold to the last in the queue: it is not
    bought either.
    """
    if row < 0 or not prices.traded[row]:
        return Fill(OPEN_REASONS[SUSPENDED])
    limit = int(prices.highest[row])
    if prices.buys[row] == UNKNOWN or limit >= _NO_LIMIT:
        return Fill("price limit not known" if limit < _NO_LIMIT else "no price limit")
    if prices.high[row] < limit:
        return Fill("limit not touched")
    if prices.low[row] >= limit:
        return Fill("sealed at the limit all day")
    opened = round(float(prices.open[row]) * 100)
    closed = round(float(prices.close[row]) * 100)
    if opened >= limit or closed < limit:
        return Fill("", limit / 100)
    return Fill("fill at the limit not proven")
