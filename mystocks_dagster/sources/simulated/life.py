"""The state of a stock on a day before trading: listed, suspended, ST, and its price limit."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.rules import FIRST_DAY, usual_limit
from mystocks_dagster.sources.simulated.noise import Noise
from mystocks_dagster.sources.simulated.universe import BOARDS, NEVER, Universe

#: A limit for days without a price limit, which no price reaches: +900 % and -99 %.
_FREE_UP, _FREE_DOWN = 900, 99
#: A suspension is drawn once per stock and stretch of this many sessions.
_STRETCH = 40
#: A stock becomes ST, or ceases to be, on the first session of May after the annual reports.
_ST_TURN = (5, 6)
_ST_SHARE = 0.03
#: Sessions under ST before a delisting.
_ST_BEFORE_END = 240


@dataclass(frozen=True)
class Life:
    """The state by day (rows) and stock (columns).

    Attributes:
        age: Sessions since the listing; negative before it.
        listed: Whether the stock is listed.
        suspended: Whether it is listed and does not trade that day.
        is_st: Whether it has an ST name.
        limited: Whether it has a price limit.
        up, down: The limit in percent.
    """

    age: np.ndarray
    listed: np.ndarray
    suspended: np.ndarray
    is_st: np.ndarray
    limited: np.ndarray
    up: np.ndarray
    down: np.ndarray


def life(noise: Noise, stocks: Universe, ordinals: np.ndarray) -> Life:
    """Return the state of the stocks in the sessions `ordinals`."""
    age = ordinals[:, None] - stocks.listed
    listed = (age >= 0) & (ordinals[:, None] <= stocks.delisted)
    is_st = listed & _is_st(noise, stocks, ordinals, age)
    limited = age >= stocks.free_days
    percent = _usual_percents(ordinals)[np.arange(len(ordinals))[:, None], stocks.board, is_st.astype(np.int64)]
    first = limited & (age == 0)
    return Life(
        age=age,
        listed=listed,
        suspended=suspended(noise, stocks, ordinals),
        is_st=is_st,
        limited=limited,
        up=np.where(limited, np.where(first, FIRST_DAY.up, percent), _FREE_UP),
        down=np.where(limited, np.where(first, FIRST_DAY.down, percent), _FREE_DOWN),
    )


def suspended(noise: Noise, stocks: Universe, ordinals: np.ndarray) -> np.ndarray:
    """Return, by day and stock, whether a listed stock does not trade.

    One of eighty stretches has a suspension of 1 to 16 sessions, which may continue into the next stretch. There is
    none in the first weeks of a listing or in its last two days.
    """
    days = ordinals[:, None]
    stretch, place = np.divmod(days, _STRETCH)

    def within(stretch: np.ndarray, place: np.ndarray) -> np.ndarray:
        happens = noise.uniform("suspended", stretch, stocks.ids) < 1 / 80
        since = place - (noise.uniform("suspended from", stretch, stocks.ids) * _STRETCH).astype(np.int64)
        long = noise.uniform("suspended for", stretch, stocks.ids)
        return happens & (since >= 0) & (since <= (16 * long * long).astype(np.int64))

    drawn = within(stretch, place) | within(stretch - 1, place + _STRETCH)
    return drawn & (days >= stocks.listed + 20) & (days < stocks.delisted - 1)


def is_ending(stocks: Universe, ordinals: np.ndarray) -> np.ndarray:
    """Return, by day and stock, whether it is the year before a delisting, in which the name carries *ST."""
    return (stocks.delisted < NEVER) & (ordinals[:, None] > stocks.delisted - _ST_BEFORE_END)


def _is_st(noise: Noise, stocks: Universe, ordinals: np.ndarray, age: np.ndarray) -> np.ndarray:
    years = np.array([_st_year(day) for day in _dates(ordinals)])[:, None]
    # A year of ST is followed by a second one with probability one half.
    fresh = noise.uniform("st", years, stocks.ids) < _ST_SHARE
    again = (noise.uniform("st", years - 1, stocks.ids) < _ST_SHARE) & (
        noise.uniform("st again", years, stocks.ids) < 0.5
    )
    return (fresh | again) & (age > 500) | is_ending(stocks, ordinals)


def _st_year(day: date) -> int:
    return day.year if (day.month, day.day) >= _ST_TURN else day.year - 1


def _usual_percents(ordinals: np.ndarray) -> np.ndarray:
    """Return the usual limit in percent by day, board and ST."""
    return np.array(
        [
            [[usual_limit(board, day, is_st=st).up for st in (False, True)] for board in BOARDS]
            for day in _dates(ordinals)
        ]
    )


def _dates(ordinals: np.ndarray) -> list[date]:
    sessions = shanghai().sessions(shanghai().first, shanghai().last)
    return [sessions[at] for at in ordinals]
