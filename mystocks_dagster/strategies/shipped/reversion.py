"""Strategies that expect prices to return."""

import polars as pl

from mystocks_dagster.strategies.conditions import crosses_above
from mystocks_dagster.strategies.writing import Rules, strategy


@strategy(reads=["kdj_k", "kdj_d"], lookback=1)
def kdj_overbought(oversold: float = 20, overbought: float = 80) -> Rules:
    """KDJ leaves an extreme KDJ 超买超卖: buy when K rises above D at the bottom, sell at the top.

    K rises above D after a bar on which both were below `oversold`, or falls below it after one with both above
    `overbought`.
    """
    k, d = pl.col("kdj_k"), pl.col("kdj_d")
    return Rules(
        buy=crosses_above(k, d) & (k.shift(1) < oversold) & (d.shift(1) < oversold),
        sell=crosses_above(d, k) & (k.shift(1) > overbought) & (d.shift(1) > overbought),
        values={"k": "kdj_k", "d": "kdj_d"},
    )
