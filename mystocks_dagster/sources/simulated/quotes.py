"""Intraday snapshots of the simulated market."""

from datetime import datetime, time

import numpy as np
import polars as pl

from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables.market import STOCK_QUOTES
from mystocks_dagster.sources.simulated.bars import MINUTES, amount_at, price_at
from mystocks_dagster.sources.simulated.market import Market

_CALL = time(9, 15)
_OPEN_KNOWN = time(9, 25)


def session_at(market: Market, moment: datetime) -> int:
    """Return the ordinal of the session of a snapshot at `moment`: from 09:15 today's, before that the last one."""
    last = market.ordinal(moment.date())
    begun = market.sessions[last] < moment.date() or moment.time() >= _CALL
    return last if begun else last - 1


def minutes_traded(market: Market, ordinal: int, moment: datetime) -> int | None:
    """Return the minutes of trading of the session up to `moment`; None before its opening price is known."""
    if market.sessions[ordinal] < moment.date():
        return MINUTES
    if moment.time() < _OPEN_KNOWN:
        return None
    clock = moment.hour * 60 + moment.minute
    morning = min(max(clock - (9 * 60 + 30), 0), MINUTES // 2)
    afternoon = min(max(clock - 13 * 60, 0), MINUTES // 2)
    return morning + afternoon


def stock_quotes(market: Market, moment: datetime) -> pl.DataFrame:
    """Return one row per stock listed that day; the price of a stock that does not trade is null."""
    ordinal = session_at(market, moment)
    if ordinal < market.closes.first:
        return STOCK_QUOTES.empty()
    bars = market.bars(np.array([ordinal]))
    minutes = minutes_traded(market, ordinal, moment)
    keys, at = market.flat(bars.ordinals, bars.life.listed)
    minute = minutes or 0
    price = price_at(bars, minute)
    # The high and the low so far include the turns that the price has passed.
    turns = [
        np.where(passed_at <= minute, turn, bars.open) for turn, passed_at in zip(bars.turns, bars.times, strict=True)
    ]
    high = np.maximum.reduce([bars.open, price, *turns])
    low = np.minimum.reduce([bars.open, price, *turns])
    volume = bars.volume * minute // MINUTES
    trades = bars.traded & (minutes is not None)
    quotes = {
        "price": price / 100,
        "open": bars.open / 100,
        "high": high / 100,
        "low": low / 100,
        "change_pct": np.round((price / bars.prev_close - 1) * 100, 4),
    }
    frame = keys.with_columns(
        time=pl.lit(moment).cast(MOMENT),
        name=market.names(bars.ordinals, bars.life, at),
        prev_close=pl.Series(bars.prev_close[at] / 100),
        volume=pl.Series(volume[at]),
        amount=pl.Series(amount_at(bars, minute)[at] / 100),
        turnover=pl.Series(np.round(bars.turnover * minute / MINUTES, 4)[at]),
        **{name: pl.Series(values[at]) for name, values in quotes.items()},
    )
    trading = pl.lit(pl.Series(trades[at]))
    return frame.with_columns(pl.when(trading).then(pl.col(name)).alias(name) for name in quotes).select(
        list(STOCK_QUOTES.dtypes)
    )
