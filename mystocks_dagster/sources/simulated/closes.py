"""The closing prices of the simulated market, the only part in which each day depends on the one before."""

import numpy as np

from mystocks_dagster.market.rules import limit_cents
from mystocks_dagster.sources.simulated.dividends import Events, ex_right_cents, make_events
from mystocks_dagster.sources.simulated.life import Life, life
from mystocks_dagster.sources.simulated.noise import Noise
from mystocks_dagster.sources.simulated.universe import INDUSTRIES, Universe

#: Sessions whose random numbers are computed at once.
_BLOCK = 128
#: The share of its distance to the anchor by which a price returns per day.
_PULL = 0.002


class Closes:
    """Close and previous close in cents of every session from the market's first to a given last one.

    Attributes:
        first: Ordinal of the first session; row 0 of the arrays.
        last: Ordinal of the last session.
        prev_close: As the exchange states it: ex-right on ex-days, the issue price on the first day of a listing.
        close: The last close if suspended; undefined outside a stock's listing.
    """

    def __init__(self, noise: Noise, stocks: Universe, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.events = make_events(noise, stocks, first, last)
        self.close = np.zeros((last - first + 1, len(stocks)), dtype=np.int32)
        self.prev_close = np.zeros_like(self.close)
        before = _opening_prices(noise, stocks)
        for start in range(first, last + 1, _BLOCK):
            ordinals = np.arange(start, min(start + _BLOCK, last + 1))
            before = self._make(stocks, ordinals, life(noise, stocks, ordinals), moves(noise, stocks, ordinals), before)

    def _make(
        self, stocks: Universe, ordinals: np.ndarray, facts: Life, move: np.ndarray, before: np.ndarray
    ) -> np.ndarray:
        """Fill the rows of `ordinals` and return the last close of each stock."""
        pull = _PULL / stocks.anchor
        for row, ordinal in enumerate(ordinals):
            previous = _ex_right(self.events.on(ordinal, ordinal), before)
            lowest, highest = limit_cents(previous, facts.up[row], facts.down[row])
            change = 1 + move[row] + pull * (stocks.anchor - previous)
            unlimited = np.rint(previous * change).astype(np.int64)
            close = np.clip(unlimited, np.maximum(lowest, 1), highest)
            # A stock that is not listed yet stays at its issue price, a suspended one at its last close.
            before = np.where(facts.listed[row] & ~facts.suspended[row], close, previous)
            self.prev_close[ordinal - self.first] = previous
            self.close[ordinal - self.first] = before
        return before


def moves(noise: Noise, stocks: Universe, ordinals: np.ndarray) -> np.ndarray:
    """Return the move of each price by session and stock, as a fraction of the previous close, without price limits."""
    days = ordinals[:, None]
    age = days - stocks.listed
    own = noise.normal("own", days, stocks.ids) * stocks.volatility
    own += stocks.beta * market_moves(noise, ordinals)[:, None]
    own += industry_moves(noise, ordinals)[:, stocks.industry]
    jump = noise.uniform("jump", days, stocks.ids)
    rise = np.where(jump < 0.018, 0.04 + 6 * jump, 0.0) - np.where(jump > 0.992, 0.04 + 12 * (1 - jump), 0.0)
    own += rise * (stocks.volatility / 0.016)
    # A new share jumps on its first day and stays volatile for some weeks.
    own *= np.where((age > 0) & (age < 10), 2.0, 1.0)
    keen = noise.uniform("first day", stocks.ids)
    return np.where(age == 0, 2.2 * keen * keen - 0.06, own)


def market_moves(noise: Noise, ordinals: np.ndarray) -> np.ndarray:
    """Return the move of the whole market by session."""
    wild = np.where(noise.uniform("wild", ordinals) < 0.03, 2.5, 1.0)
    return 0.0002 + 0.009 * wild * noise.normal("market", ordinals)


def industry_moves(noise: Noise, ordinals: np.ndarray) -> np.ndarray:
    """Return the move of each industry relative to the market, by session and industry."""
    return 0.006 * noise.normal("industry move", ordinals[:, None], np.arange(len(INDUSTRIES)))


def _opening_prices(noise: Noise, stocks: Universe) -> np.ndarray:
    """Return the close before the market's first day, which is the issue price of those listed later."""
    return np.rint(stocks.anchor * (0.5 + 0.7 * noise.uniform("opening", stocks.ids))).astype(np.int64)


def _ex_right(events: Events, close: np.ndarray) -> np.ndarray:
    if not len(events.ordinal):
        return close
    previous = close.copy()
    previous[events.stock] = ex_right_cents(close[events.stock], events.cash, events.split)
    return previous
