"""Daily bars as arrays by symbol and day, with what the rules say about orders at each bar's open.

The rules are evaluated once for all bars; a backtest, or a hundred of them, then only looks them up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import get_args

import numpy as np
import polars as pl

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.rules import FIRST_DAY, USUAL_LIMITS, days_without_limit, limit_cents
from mystocks_dagster.market.symbols import Board, board_of

#: Why an order is not filled at the open of a bar; the first is filled.
OPEN_REASONS = ("", "suspended", "price limit not known", "open at the limit")
FILLED, SUSPENDED, UNKNOWN, AT_LIMIT = range(len(OPEN_REASONS))

#: The first day of a listing and those without a limit lie within so many calendar days of it.
_NEW = timedelta(days=21)
#: A limit that no price reaches, in cents.
_FREE = 10**8


@dataclass(frozen=True)
class PriceLimits:
    """The lowest and highest price of each bar in cents.

    Attributes:
        lowest, highest: The limits; of a stock of which it is not known whether it is ST, the wide ones.
        doubtful_buy, doubtful_sell: The stock may be ST, and the open is the upper or lower limit of an ST stock.
        unknown: No limit can be stated, as the previous close is not known.
    """

    lowest: np.ndarray
    highest: np.ndarray
    doubtful_buy: np.ndarray
    doubtful_sell: np.ndarray
    unknown: np.ndarray


class Prices:
    """The bars of the traded symbols.

    Attributes:
        days: The trading days, ascending.
        symbols: The symbols, ascending.
        boards: The board of each symbol; None for what is no A share.
        rows: The row of each symbol (first axis) and day (second axis), -1 without a bar.
        open, close: CNY per share, raw, by row.
        volume, amount: Shares and CNY, by row.
        high, low, lowest, highest: The day's prices and its limits in cents, by row.
        buys, sells: By row, the index in `OPEN_REASONS` of an order at the open.
        traded: Whether the row is of a day with trading.
    """

    def __init__(self, bars: pl.DataFrame, days: Sequence[date], listed: Mapping[str, date] | None = None) -> None:
        """Index the bars.

        Args:
            bars: `symbol`, `date`, `open`, `high`, `low`, `close`, `prev_close`, `volume`, `amount`, `is_st` and
                `suspended`; `is_st` and `prev_close` null are unknown. Bars of other days than `days` are not used.
            days: The trading days, ascending.
            listed: The first trading day of symbols, where it is known: then the first days have their own limits.
        """
        self.days = list(days)
        places = {"date": self.days, "_day": range(len(self.days))}
        places = pl.DataFrame(places, schema={"date": pl.Date, "_day": pl.Int32})
        bars = bars.join(places, on="date").sort("symbol", "_day")
        spans = bars.group_by("symbol", maintain_order=True).agg(pl.len())
        self.symbols: list[str] = spans["symbol"].to_list()
        self.boards: list[Board | None] = [board_of(symbol) for symbol in self.symbols]
        owner = np.repeat(np.arange(len(self.symbols), dtype=np.int32), spans["len"].to_numpy())
        self.rows = np.full((len(self.symbols), len(self.days)), -1, dtype=np.int32)
        self.rows[owner, bars["_day"].to_numpy()] = np.arange(bars.height, dtype=np.int32)
        self.open, self.close = (bars[name].cast(pl.Float64).to_numpy() for name in ("open", "close"))
        self.high, self.low = (_cents(bars[name]) for name in ("high", "low"))
        self.volume = bars["volume"].cast(pl.Float64).fill_null(0).to_numpy()
        self.traded = ~bars["suspended"].to_numpy()
        self.amount = bars["amount"].cast(pl.Float64).fill_null(0).to_numpy()
        self._open_cents = _cents(bars["open"])
        limits = self._limits(bars, owner, listed or {})
        self.lowest, self.highest = limits.lowest, limits.highest
        self.buys = self._reasons(limits, self._open_cents >= limits.highest, limits.doubtful_buy)
        self.sells = self._reasons(limits, self._open_cents <= limits.lowest, limits.doubtful_sell)

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each symbol in `symbols`."""
        return {symbol: place for place, symbol in enumerate(self.symbols)}

    def _reasons(self, limits: PriceLimits, at_limit: np.ndarray, doubtful: np.ndarray) -> np.ndarray:
        conditions = [~self.traded, limits.unknown, at_limit, doubtful]
        return np.select(conditions, [SUSPENDED, UNKNOWN, AT_LIMIT, UNKNOWN], FILLED).astype(np.uint8)

    def _limits(self, bars: pl.DataFrame, owner: np.ndarray, listed: Mapping[str, date]) -> PriceLimits:
        before = bars["prev_close"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        unknown = ~np.isfinite(before)
        previous = np.rint(np.where(unknown, 0, before) * 100).astype(np.int32)
        st = bars["is_st"].to_numpy() == True  # noqa: E712 - null, the unknown, is not true
        narrow_percent, wide_percent = self._percents(bars["date"].to_physical().to_numpy(), owner)
        percent = np.where(st, narrow_percent, wide_percent)
        up, down, free = self._of_new_listings(percent, owner, listed)
        lowest, highest = limit_cents(previous, up, down)
        lowest, highest = np.where(free, 0, lowest), np.where(free, _FREE, highest)
        doubtful_buy, doubtful_sell = (np.zeros(bars.height, dtype=bool) for _ in range(2))
        may_be = np.flatnonzero(bars["is_st"].is_null().to_numpy() & (narrow_percent != wide_percent) & ~free)
        narrow = limit_cents(previous[may_be], narrow_percent[may_be], narrow_percent[may_be])
        # A price beyond the narrow limit proves that the stock is not ST.
        within = (self.high[may_be] <= narrow[1]) & (self.low[may_be] >= narrow[0])
        doubtful_buy[may_be] = within & (self._open_cents[may_be] == narrow[1])
        doubtful_sell[may_be] = within & (self._open_cents[may_be] == narrow[0])
        return PriceLimits(lowest, highest, doubtful_buy, doubtful_sell, unknown & ~free)

    def _percents(self, days: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the usual limit of each row if it is ST, and if it is not; 0 for what is no A share."""
        narrow, wide = (np.zeros(len(days), dtype=np.int32) for _ in range(2))
        names = list(get_args(Board))
        board = np.array([names.index(name) if name else -1 for name in self.boards], dtype=np.int8)[owner]
        begun: set[str] = set()
        for rule in USUAL_LIMITS:
            since = (rule.since - date(1970, 1, 1)).days if rule.board in begun else -(10**6)
            begun.add(rule.board)
            holds = (board == names.index(rule.board)) & (days >= since)
            narrow[holds], wide[holds] = rule.st_percent, rule.percent
        return narrow, wide

    def _of_new_listings(
        self, percent: np.ndarray, owner: np.ndarray, listed: Mapping[str, date]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the limits up and down in percent, and the rows without a limit."""
        up, down, free = percent.copy(), percent.copy(), np.zeros(len(percent), dtype=bool)
        calendar = shanghai()
        for place, symbol in enumerate(self.symbols):
            board, first = self.boards[place], listed.get(symbol)
            if board is None or first is None or not self.days or first < self.days[0] - _NEW:
                continue
            allowed = days_without_limit(board, first)
            for age, day in enumerate(calendar.sessions(first, min(first + _NEW, calendar.last))[: max(1, allowed)]):
                row = self.row(place, day)
                if row >= 0 and age < allowed:
                    free[row] = True
                elif row >= 0:
                    up[row], down[row] = FIRST_DAY
        return up, down, free

    def row(self, place: int, day: date) -> int:
        """Return the row of a symbol's bar on a day; -1 if there is none."""
        at = self._day_places.get(day)
        return -1 if at is None else int(self.rows[place, at])

    @cached_property
    def _day_places(self) -> dict[date, int]:
        return {day: place for place, day in enumerate(self.days)}


def _cents(prices: pl.Series) -> np.ndarray:
    """Return prices in whole cents; rounding corrects the error of a 32-bit float."""
    return np.rint(prices.cast(pl.Float64).fill_null(0).to_numpy() * 100).astype(np.int32)
