"""Complete daily bars from the closing prices: open, high, low, volume, amount, and the price path within a day."""

from dataclasses import dataclass

import numpy as np

from mystocks_dagster.market.rules import limit_cents
from mystocks_dagster.sources.simulated.closes import Closes
from mystocks_dagster.sources.simulated.dividends import floats
from mystocks_dagster.sources.simulated.life import Life, life
from mystocks_dagster.sources.simulated.noise import Noise
from mystocks_dagster.sources.simulated.universe import Universe

#: Minutes of continuous trading in a day.
MINUTES = 240


@dataclass(frozen=True)
class Bars:
    """Bars by day (rows) and stock (columns); prices in cents, volume in shares, amount in cents.

    Within the day the price moves linearly from the open to `turns[0]` in minute `times[0]`, to `turns[1]` in minute
    `times[1]`, and to the close. The two turns are the high and the low. Volume is constant over the minutes.
    """

    ordinals: np.ndarray
    life: Life
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    prev_close: np.ndarray
    volume: np.ndarray
    amount: np.ndarray
    turnover: np.ndarray
    turns: tuple[np.ndarray, np.ndarray]
    times: tuple[np.ndarray, np.ndarray]

    @property
    def traded(self) -> np.ndarray:
        """Mask of the bars with trading."""
        return self.life.listed & ~self.life.suspended


def make_bars(noise: Noise, stocks: Universe, closes: Closes, ordinals: np.ndarray) -> Bars:
    """Make the bars of the sessions `ordinals`, each independently of the others."""
    keys = ordinals[:, None], stocks.ids
    facts = life(noise, stocks, ordinals)
    rows = ordinals - closes.first
    close, previous = closes.close[rows].astype(np.int64), closes.prev_close[rows].astype(np.int64)
    opening, high, low = _range(noise, keys, facts, close, previous)
    times = _times(noise, keys)
    rises_first = noise.uniform("rises first", *keys) < np.where(close >= opening, 0.3, 0.7)
    turns = np.where(rises_first, high, low), np.where(rises_first, low, high)
    shares = floats(stocks, closes.events, ordinals)
    move = np.abs(close - previous) / previous
    volume = np.where(facts.suspended, 0, _volume(noise, stocks, keys, facts, move, shares))
    mean = _area(opening, turns, close, times, MINUTES) / MINUTES
    amount = np.clip(np.rint(volume * mean).astype(np.int64), volume * low, volume * high)
    turnover = np.round(volume / shares * 100, 4)
    return Bars(ordinals, facts, opening, high, low, close, previous, volume, amount, turnover, turns, times)


def price_at(bars: Bars, minute: int) -> np.ndarray:
    """Return the price in cents after `minute` minutes of trading, by day and stock."""
    legs = _legs(bars.open, bars.turns, bars.close, bars.times)
    price = bars.open.astype(np.float64)
    for begin, length, since, until in legs:
        fraction = np.clip((minute - begin) / length, 0.0, 1.0)
        price += (until - since) * fraction
    return np.rint(price).astype(np.int64)


def amount_at(bars: Bars, minute: int) -> np.ndarray:
    """Return the amount in cents after `minute` minutes of trading; at the end it is that of the bar."""
    if minute >= MINUTES:
        return bars.amount
    area = _area(bars.open, bars.turns, bars.close, bars.times, minute)
    return np.minimum(np.rint(bars.volume / MINUTES * area).astype(np.int64), bars.amount)


def _range(
    noise: Noise, keys: tuple[np.ndarray, np.ndarray], facts: Life, close: np.ndarray, previous: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return open, high and low within the price limits; a single price if sealed at the limit or suspended."""
    lowest, highest = limit_cents(previous, facts.up, facts.down)
    lowest = np.maximum(lowest, 1)
    gap = noise.normal("gap", *keys)
    opening = np.rint(previous + 0.3 * (close - previous) + 0.006 * previous * gap).astype(np.int64)
    opening = np.clip(opening, lowest, highest)
    # A stock that closes at its limit was often there from the first minute.
    sealed = facts.limited & ((close == highest) | (close == lowest)) & (noise.uniform("sealed", *keys) < 0.2)
    still = facts.suspended | sealed
    opening = np.where(still, close, opening)
    above, below = noise.normal("above", *keys), noise.normal("below", *keys)
    reach = np.where(still, 0.0, 0.006 * previous * np.where(noise.uniform("wide", *keys) < 0.006, 5.0, 1.0))
    high = np.rint(np.maximum(opening, close) + reach * above * above).astype(np.int64)
    low = np.rint(np.minimum(opening, close) - reach * below * below).astype(np.int64)
    return opening, np.minimum(high, highest), np.maximum(low, lowest)


def _volume(
    noise: Noise,
    stocks: Universe,
    keys: tuple[np.ndarray, np.ndarray],
    facts: Life,
    move: np.ndarray,
    shares: np.ndarray,
) -> np.ndarray:
    """Return the volume in whole lots, higher on days of large moves and in the first weeks of a listing."""
    spread = 1 + 0.25 * noise.normal("volume", *keys)
    fever = np.where(noise.uniform("fever", *keys) < 0.01, 4.0, 1.0)
    rate = stocks.activity * spread * spread * fever * (1 + 20 * move)
    rate = np.where(facts.age < 10, 0.15 + 0.5 * noise.uniform("new volume", *keys), rate)
    return np.maximum((np.clip(rate, 0.0, 0.85) * shares / 100).astype(np.int64), 1) * 100


def _times(noise: Noise, keys: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    first = 1 + (noise.uniform("first turn", *keys) * (MINUTES - 2)).astype(np.int64)
    second = first + 1 + (noise.uniform("second turn", *keys) * (MINUTES - 1 - first)).astype(np.int64)
    return first, second


def _legs(
    opening: np.ndarray, turns: tuple[np.ndarray, np.ndarray], close: np.ndarray, times: tuple[np.ndarray, np.ndarray]
) -> tuple:
    """Return the three line segments as (begin, length, first price, last price)."""
    (turn1, turn2), (minute1, minute2) = turns, times
    return (
        (0, minute1, opening, turn1),
        (minute1, minute2 - minute1, turn1, turn2),
        (minute2, MINUTES - minute2, turn2, close),
    )


def _area(
    opening: np.ndarray,
    turns: tuple[np.ndarray, np.ndarray],
    close: np.ndarray,
    times: tuple[np.ndarray, np.ndarray],
    minute: float,
) -> np.ndarray:
    """Return the sum of the price over the minutes up to `minute`."""
    total = np.zeros(opening.shape)
    for begin, length, since, until in _legs(opening, turns, close, times):
        elapsed = np.clip(minute - begin, 0.0, length)
        total += elapsed * (since + (until - since) * elapsed / length / 2)
    return total
