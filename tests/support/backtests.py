"""A small market of noise, for backtests."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from mystocks_dagster.market.backtesting.engine import ordered
from mystocks_dagster.market.backtesting.grid import Laboratory
from mystocks_dagster.market.backtesting.market import prepare
from mystocks_dagster.market.backtesting.terms import Terms

DAYS = [day for n in range(90) if (day := date(2024, 1, 2) + timedelta(days=n)).weekday() < 5]
NO_EVENTS = pl.DataFrame(schema={"symbol": pl.String, "date": pl.Date, "ratio": pl.Float64})
TERMS = Terms(initial_capital=200_000)


def frames_of_noise() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return bars and signals of three stocks, always the same."""
    noise, rows, said = np.random.default_rng(2), [], []
    for symbol in ("600000.SH", "000001.SZ", "300001.SZ"):
        before = 12.0
        for day in DAYS:
            opened, close = (round(before * (1 + move), 2) for move in noise.uniform(-0.04, 0.04, 2))
            rows.append((symbol, day, opened, max(opened, close), min(opened, close), close, before, 10**6))
            said += [(symbol, day, side) for side in ("buy", "sell") if noise.uniform() < 0.2]
            before = close
    names = ["symbol", "date", "open", "high", "low", "close", "prev_close", "volume"]
    bars = pl.DataFrame(rows, schema=names, orient="row").with_columns(amount=1e7, is_st=False, suspended=False)
    return bars, pl.DataFrame(said, schema=["symbol", "date", "side"], orient="row")


def laboratory_of_noise() -> Laboratory:
    """Return that market with the signals of the strategy `a`."""
    bars, signals = frames_of_noise()
    market = prepare(DAYS, bars, NO_EVENTS)
    return Laboratory(market, {"a": ordered(market, signals)[""]})
