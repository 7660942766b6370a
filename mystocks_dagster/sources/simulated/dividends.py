"""Ex-dividend and split days of the simulated market."""

from dataclasses import dataclass

import numpy as np

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.sources.simulated.life import suspended
from mystocks_dagster.sources.simulated.noise import Noise
from mystocks_dagster.sources.simulated.universe import Universe

#: New shares for ten old ones in a split.
_SPLITS = np.array([3, 4, 5, 10])
#: Sessions from the middle of May to the first days of August.
_SEASON = 55
#: No dividend in the first months after a listing.
_YOUNG = 60


@dataclass(frozen=True)
class Events:
    """Ex-days, ascending; one value per event.

    Attributes:
        ordinal: The ordinal of the session.
        stock: The index in the universe.
        cash: Dividend as a fraction of the last close.
        split: New shares for ten old ones; 0 for none.
    """

    ordinal: np.ndarray
    stock: np.ndarray
    cash: np.ndarray
    split: np.ndarray

    def on(self, first: int, last: int) -> "Events":
        """Return the events from `first` to `last`, both included."""
        part = slice(*np.searchsorted(self.ordinal, [first, last + 1]))
        return Events(self.ordinal[part], self.stock[part], self.cash[part], self.split[part])


def make_events(noise: Noise, stocks: Universe, first: int, last: int) -> Events:
    """Make the events from `first` to `last`: at most one per stock and year, none on suspended days."""
    years, opening = _seasons(first, last)
    keys = years[:, None], stocks.ids
    pays = noise.uniform("pays", *keys) < 0.35 + 0.6 * noise.uniform("generous", stocks.ids)
    ordinal = opening[:, None] + (noise.uniform("ex-day", *keys) * _SEASON).astype(np.int64)
    happens = pays & (ordinal >= first) & (ordinal <= last)
    happens &= (ordinal - stocks.listed >= _YOUNG) & (ordinal < stocks.delisted)
    cash = 0.003 + 0.045 * noise.uniform("cash", *keys) * noise.uniform("yield", stocks.ids)
    split = _SPLITS[(noise.uniform("split", *keys) * 4).astype(np.int64)] * (noise.uniform("splits", *keys) < 0.06)
    year, stock = np.nonzero(happens)
    by_day = np.lexsort((stock, ordinal[year, stock]))
    year, stock = year[by_day], stock[by_day]
    events = Events(ordinal[year, stock], stock, cash[year, stock], split[year, stock])
    return _without_suspended(noise, stocks, events)


def ex_right_cents(close: np.ndarray, cash: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Return the exchange's previous close on an ex-day: (close - dividend) / (1 + split), rounded half up.

    `close` is the last close in cents. The dividend is a multiple of 0.001 CNY per share (10派X.XX元).
    """
    mils = 10 * close - np.rint(10 * close * cash).astype(np.int64)
    ten = 10 + split
    return np.maximum((2 * mils + ten) // (2 * ten), 1)


def floats(stocks: Universe, events: Events, ordinals: np.ndarray) -> np.ndarray:
    """Return the float in shares by day and stock; it grows on the ex-day of a split."""
    splits = np.nonzero((events.split > 0) & (events.ordinal <= ordinals[-1]))[0]
    growth = np.ones((len(ordinals), len(stocks)))
    before = splits[events.ordinal[splits] <= ordinals[0]]
    np.multiply.at(growth[0], events.stock[before], 1 + events.split[before] / 10)
    growth[1:] = growth[0]
    for at in splits[len(before) :]:
        growth[ordinals >= events.ordinal[at], events.stock[at]] *= 1 + events.split[at] / 10
    return (stocks.shares * growth).astype(np.int64)


def _seasons(first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the years of the sessions, and for each the ordinal of its first session from 15 May."""
    sessions = np.array(shanghai().sessions(shanghai().first, shanghai().last), dtype="datetime64[D]")
    years = np.arange(sessions[first].item().year, sessions[last].item().year + 1)
    return years, np.searchsorted(sessions, np.array([f"{year}-05-15" for year in years], dtype="datetime64[D]"))


def _without_suspended(noise: Noise, stocks: Universe, events: Events) -> Events:
    days, row = np.unique(events.ordinal, return_inverse=True)
    keep = ~suspended(noise, stocks, days)[row, events.stock]
    return Events(events.ordinal[keep], events.stock[keep], events.cash[keep], events.split[keep])
