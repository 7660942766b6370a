"""Exchange-traded funds of the simulated market: one for the whole market and one for each industry."""

from datetime import datetime

import numpy as np
import polars as pl

from mystocks_dagster.market.table import MOMENT
from mystocks_dagster.market.tables.market import ETF_QUOTES
from mystocks_dagster.sources.simulated.bars import MINUTES
from mystocks_dagster.sources.simulated.closes import industry_moves, market_moves
from mystocks_dagster.sources.simulated.market import Market
from mystocks_dagster.sources.simulated.quotes import minutes_traded, session_at
from mystocks_dagster.sources.simulated.universe import INDUSTRIES

_TITLES = ("全市场", *INDUSTRIES)
#: The keys of the funds' random numbers. The value of a fund is 1 CNY before the market's first day.
_IDS = np.arange(len(_TITLES))
_SYMBOLS = tuple(f"{510010 + 10 * at}.SH" if at % 2 == 0 else f"{159010 + 10 * at}.SZ" for at in _IDS)


def etf_quotes(market: Market, moment: datetime) -> pl.DataFrame:
    """Return one row per fund: price to 0.001 CNY, estimated value, and premium of the price over the value."""
    ordinal = session_at(market, moment)
    if ordinal < market.closes.first:
        return ETF_QUOTES.empty()
    minutes = minutes_traded(market, ordinal, moment)
    values = _values(market, ordinal)
    before, path = _path(market, ordinal, values)
    path = path[: (minutes or 0) + 1]
    price = path[-1]
    iopv = np.round(values[-2] + (values[-1] - values[-2]) * ((minutes or 0) / MINUTES), 4)
    volume = _volume(market, ordinal) * (minutes or 0) // MINUTES
    quotes = {
        "price": price,
        "open": path[0],
        "high": path.max(axis=0),
        "low": path.min(axis=0),
        "change_pct": np.round((price / before - 1) * 100, 4),
        "premium_pct": np.round((price / iopv - 1) * 100, 4),
    }
    frame = pl.DataFrame({"symbol": _SYMBOLS, "name": [f"仿{title}ETF" for title in _TITLES]}).with_columns(
        date=pl.lit(market.sessions[ordinal]),
        time=pl.lit(moment).cast(MOMENT),
        prev_close=pl.Series(before),
        volume=pl.Series(volume),
        amount=pl.Series(np.round(volume * path.mean(axis=0), 2)),
        iopv=pl.Series(iopv),
        **{name: pl.Series(column) for name, column in quotes.items()},
    )
    open_known = pl.lit(minutes is not None)
    frame = frame.with_columns(pl.when(open_known).then(pl.col(name)).alias(name) for name in quotes)
    return frame.select(list(ETF_QUOTES.dtypes)).sort("symbol")


def _values(market: Market, ordinal: int) -> np.ndarray:
    """Return each fund's value before the first session, which is 1 CNY, and at each close up to `ordinal`."""
    ordinals = np.arange(market.closes.first, ordinal + 1)
    whole = market_moves(market.noise, ordinals)[:, None]
    moves = np.hstack([whole, whole + industry_moves(market.noise, ordinals)])
    return np.vstack([np.ones(len(_TITLES)), np.cumprod(1 + moves, axis=0)])


def _path(market: Market, ordinal: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last close, and the prices after 0 to 240 minutes."""
    share = np.arange(MINUTES + 1)[:, None] / MINUTES
    path = _priced(market, ordinal, np.arange(MINUTES + 1), values[-2] + (values[-1] - values[-2]) * share)
    before = _priced(market, ordinal - 1, np.array([MINUTES]), values[-2])
    return before[0], path


def _priced(market: Market, ordinal: int, minutes: np.ndarray, value: np.ndarray) -> np.ndarray:
    premium = 0.0015 * market.noise.normal("premium", np.array([[ordinal]]), _IDS)
    premium = premium + 0.0003 * market.noise.normal("premium now", np.array([[ordinal]]), minutes[:, None], _IDS)
    return np.round(value * (1 + premium), 3)


def _volume(market: Market, ordinal: int) -> np.ndarray:
    size = market.noise.uniform("fund size", _IDS)
    spread = 1 + 0.25 * market.noise.normal("fund volume", np.array([ordinal]), _IDS)
    return ((2e5 + 3e6 * size * size * size) * spread * spread).astype(np.int64) * 100
