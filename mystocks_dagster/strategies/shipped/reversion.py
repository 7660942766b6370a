"""Strategies that expect prices to return."""

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from mystocks_dagster.strategies.conditions import crosses_above
from mystocks_dagster.strategies.writing import Rules, strategy


@strategy(reads=["kdj_k", "kdj_d"], lookback=1)
def kdj_overbought(
    oversold: Annotated[float, Field(ge=0, le=100, description="K and D below this are oversold")] = 20,
    overbought: Annotated[float, Field(ge=0, le=100, description="K and D above this are overbought")] = 80,
) -> Rules:
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


@strategy(reads=["rsi6"], lookback=1)
def rsi_reversion(
    oversold: Annotated[float, Field(ge=0, le=100, description="RSI6 below this is oversold")] = 20,
    overbought: Annotated[float, Field(ge=0, le=100, description="RSI6 above this is overbought")] = 80,
) -> Rules:
    """RSI returns RSI 均值回归: buy when RSI6 rises back above `oversold`, sell when it falls back below `overbought`.

    Of several purchases of one day the lowest RSI6 of the bar before comes first.
    """
    rsi = pl.col("rsi6")
    return Rules(
        buy=(rsi > oversold) & (rsi.shift(1) <= oversold),
        sell=(rsi < overbought) & (rsi.shift(1) >= overbought),
        values={"rsi6": "rsi6", "before": rsi.shift(1)},
        score=-rsi.shift(1),
    )


@strategy(reads=["close_hfq", "boll_mid", "boll_upper", "boll_lower"], lookback=1)
def boll_reversion(
    target: Annotated[Literal["mid", "upper"], Field(description="the line at which it is sold")] = "mid",
) -> Rules:
    """BOLL returns 布林带均值回归: buy when the close rises back above the lower band, sell when it reaches the target.

    Buy: the close is above the lower band, and was not above it on the bar before. Sell: the same with the middle or
    the upper band. Of several purchases of one day the widest band comes first.
    """
    close, lower, goal = pl.col("close_hfq"), pl.col("boll_lower"), pl.col(f"boll_{target}")
    return Rules(
        buy=crosses_above(close, lower),
        sell=crosses_above(close, goal),
        values=["close_hfq", "boll_lower", f"boll_{target}"],
        score=(pl.col("boll_upper") - lower) / pl.col("boll_mid"),
    )
