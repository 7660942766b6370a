"""The simulated market: its stocks, its sessions and its bars."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.sources.simulated.bars import Bars, make_bars
from mystocks_dagster.sources.simulated.closes import Closes
from mystocks_dagster.sources.simulated.life import Life, is_ending
from mystocks_dagster.sources.simulated.noise import Noise
from mystocks_dagster.sources.simulated.options import Options
from mystocks_dagster.sources.simulated.universe import make_universe


class Market:
    """The market up to and including the session `last`; a later `last` changes nothing before it."""

    def __init__(self, options: Options, last: date) -> None:
        self.options = options
        self.sessions = shanghai().sessions(shanghai().first, last)
        self.noise = Noise(options.seed)
        self.stocks = make_universe(self.noise, options.symbols)
        self.closes = Closes(self.noise, self.stocks, self.ordinal(options.start), len(self.sessions) - 1)
        self.symbols = pl.Series(self.stocks.symbols)

    def ordinal(self, day: date) -> int:
        """Return the ordinal of the latest session on or before `day`."""
        return bisect_right(self.sessions, day) - 1

    def ordinals(self, days: Sequence[date]) -> np.ndarray:
        """Return the ordinals of those of `days` that have bars, ascending, without duplicates."""
        known = {day: at for at, day in enumerate(self.sessions) if at >= self.closes.first}
        return np.array(sorted({known[day] for day in days if day in known}), dtype=np.int64)

    def bars(self, ordinals: np.ndarray) -> Bars:
        """Return the bars of the sessions `ordinals`."""
        return make_bars(self.noise, self.stocks, self.closes, ordinals)

    def flat(self, ordinals: np.ndarray, mask: np.ndarray) -> tuple[pl.DataFrame, tuple[np.ndarray, np.ndarray]]:
        """Return `symbol` and `date` of the cells in `mask`, by day and symbol, and the cells' indices."""
        row, stock = np.nonzero(mask)
        days = pl.Series([self.sessions[at] for at in ordinals], dtype=pl.Date)
        return pl.DataFrame({"symbol": self.symbols.gather(stock), "date": days.gather(row)}), (row, stock)

    def names(self, ordinals: np.ndarray, facts: Life, at: tuple[np.ndarray, np.ndarray]) -> pl.Series:
        """Return the short names of the cells `at`, with ST, or with *ST before a delisting."""
        ending = is_ending(self.stocks, ordinals)[at]
        marks = np.where(facts.is_st[at], np.where(ending, 2, 1), 0)
        return pl.Series(["", "ST", "*ST"]).gather(marks) + pl.Series(self.stocks.names).gather(at[1])

    def day(self, ordinal: int) -> date | None:
        """Return the session of an ordinal, or None if it is in the future."""
        return self.sessions[ordinal] if ordinal < len(self.sessions) else None

    def bar_frame(self, bars: Bars, selected: np.ndarray | None = None) -> pl.DataFrame:
        """Return the bars as `daily_bars`; `selected` is a mask of the stocks, None means all."""
        keys, at = self.flat(bars.ordinals, bars.life.listed if selected is None else bars.life.listed & selected)
        prices = {name: getattr(bars, name)[at] / 100 for name in ("open", "high", "low", "close", "prev_close")}
        return keys.with_columns(
            **{name: pl.Series(values) for name, values in prices.items()},
            volume=pl.Series(bars.volume[at]),
            amount=pl.Series(bars.amount[at] / 100),
            turnover=pl.Series(bars.turnover[at]),
            is_st=pl.Series(bars.life.is_st[at]),
            suspended=pl.Series(bars.life.suspended[at]),
            actions_known=pl.lit(None, pl.Boolean),
        ).select(list(DAILY_BARS.dtypes))
