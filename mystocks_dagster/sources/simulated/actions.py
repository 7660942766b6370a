"""Dividends and splits of the simulated market as `corporate_actions`."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from mystocks_dagster.market.tables.reference import CORPORATE_ACTIONS
from mystocks_dagster.sources.simulated.market import Market


def corporate_actions(market: Market, days: Sequence[date]) -> pl.DataFrame:
    """Return the corporate actions with ex-dividend days in `days`."""
    ordinals = market.ordinals(days)
    if not len(ordinals):
        return CORPORATE_ACTIONS.empty()
    events = market.closes.events.on(int(ordinals[0]), int(ordinals[-1]))
    kept = np.isin(events.ordinal, ordinals) & (events.ordinal > market.closes.first)
    ordinal, stock = events.ordinal[kept], events.stock[kept]
    mils = np.rint(10 * market.closes.close[ordinal - 1 - market.closes.first, stock] * events.cash[kept])
    return pl.DataFrame(
        {
            "symbol": market.symbols.gather(stock),
            "ex_date": pl.Series([market.sessions[at] for at in ordinal], dtype=pl.Date),
            "cash": mils / 1000,
            "bonus": events.split[kept] / 10,
            "rights": np.zeros(len(stock)),
            "rights_price": pl.Series([None] * len(stock), dtype=pl.Float64),
            "known_since": pl.Series([market.sessions[at - 1] for at in ordinal], dtype=pl.Date),
            "source": ["simulated"] * len(stock),
            "record_date": pl.Series([market.sessions[at - 1] for at in ordinal], dtype=pl.Date),
            "split": pl.Series([None] * len(stock), dtype=pl.Float64),
        },
        schema=CORPORATE_ACTIONS.dtypes,
    ).sort("ex_date", "symbol")
