"""Capital flow of the simulated market: every stock's orders by size, summed over industries and concepts."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from mystocks_dagster.market.tables.flows import CAPITAL_FLOW_CONCEPT, CAPITAL_FLOW_SECTOR, CAPITAL_FLOW_STOCK
from mystocks_dagster.sources.protocol import FlowKind
from mystocks_dagster.sources.simulated.market import Market
from mystocks_dagster.sources.simulated.universe import CONCEPTS, INDUSTRIES

_NET = ("main_net", "super_large_net", "large_net", "medium_net", "small_net")
_TABLES = {"stock": CAPITAL_FLOW_STOCK, "sector": CAPITAL_FLOW_SECTOR, "concept": CAPITAL_FLOW_CONCEPT}


def capital_flow(market: Market, kind: FlowKind, days: Sequence[date]) -> pl.DataFrame:
    """Return the capital flow of `days` in whole CNY, without suspended stocks.

    A group's flow is the sum over its stocks, its change their mean change. Exactly: main = super large + large, and
    main + medium + small = 0.
    """
    table = _TABLES[kind]
    ordinals = market.ordinals(days)
    if not len(ordinals):
        return table.empty()
    stocks, index = _stocks(market, ordinals)
    if kind == "sector":
        stocks = _grouped(stocks, "sector", INDUSTRIES, market.stocks.industry[index])
    elif kind == "concept":
        # A stock belongs to three concepts.
        times = market.stocks.concepts.shape[1]
        stocks = _grouped(pl.concat([stocks] * times), "concept", CONCEPTS, market.stocks.concepts[index].T.ravel())
    return stocks.select(list(table.dtypes)).sort(table.key)


def _stocks(market: Market, ordinals: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    bars = market.bars(ordinals)
    keys, at = market.flat(bars.ordinals, bars.traded)
    ids, day = market.stocks.ids[at[1]], bars.ordinals[at[0]]
    amount = bars.amount[at] / 100
    change = bars.close[at] / bars.prev_close[at] - 1
    super_large, large, medium = (
        np.rint(amount * part).astype(np.int64)
        for part in (
            0.06 * market.noise.normal("super large", day, ids) + 0.8 * np.clip(change, -0.1, 0.1),
            0.04 * market.noise.normal("large", day, ids) + 0.3 * np.clip(change, -0.1, 0.1),
            0.03 * market.noise.normal("medium", day, ids) - 0.4 * np.clip(change, -0.1, 0.1),
        )
    )
    main = super_large + large
    nets = dict(zip(_NET, (main, super_large, large, medium, -(main + medium)), strict=True))
    frame = keys.with_columns(
        name=market.names(bars.ordinals, bars.life, at),
        change_pct=pl.Series(np.round(change * 100, 4)),
        **{name: pl.Series(net.astype(np.float64)) for name, net in nets.items()},
    )
    return frame, at[1]


def _grouped(stocks: pl.DataFrame, column: str, titles: tuple[str, ...], group: np.ndarray) -> pl.DataFrame:
    return (
        stocks.with_columns(pl.Series(titles, dtype=pl.String).gather(group).alias(column))
        .group_by("date", column)
        .agg(pl.col("change_pct").mean().round(4), pl.col(_NET).sum())
    )
