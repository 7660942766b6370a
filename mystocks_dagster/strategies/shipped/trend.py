"""Strategies that follow a trend."""

import polars as pl

from mystocks_dagster.strategies.conditions import bars_before, crosses_above
from mystocks_dagster.strategies.writing import Rules, strategy

#: A divergence compares a bar with this many bars before it.
DIVERGENCE_WINDOW = 20
#: Bars until the windows of the slow average (26) and of the average of DIF (9) are full.
MACD_WARM_UP = 26 + 9 - 2

DIF, CLOSE = pl.col("macd_dif"), pl.col("close_hfq")


@strategy(reads=["ma5", "ma20"], lookback=1)
def ma_crossover() -> Rules:
    """Two averages 均线金叉死叉: buy when MA5 rises above MA20, sell when MA20 rises above MA5.

    On the bar before, the average that rises was not above the other.
    """
    ma5, ma20 = pl.col("ma5"), pl.col("ma20")
    return Rules(buy=crosses_above(ma5, ma20), sell=crosses_above(ma20, ma5), values=["ma5", "ma20"])


@strategy(reads=["close_hfq", "macd_dif"], lookback=53)
def macd_divergence() -> Rules:
    """MACD and price disagree MACD 背离: buy at a bottom divergence 底背离, sell at a top divergence 顶背离.

    底背离: the close is below every close of the 20 bars before, while DIF is below zero and above its lowest of those
    20 bars. 顶背离: the close is above every close of the 20 bars before, while DIF is above zero and below its highest
    of those 20 bars. There is no signal in the first 53 bars of a symbol: 33 until the averages cover their whole span,
    and 20 for the comparison.
    """
    settled = bars_before(MACD_WARM_UP + DIVERGENCE_WINDOW)
    lowest_close, lowest_dif = (x.shift(1).rolling_min(DIVERGENCE_WINDOW) for x in (CLOSE, DIF))
    highest_close, highest_dif = (x.shift(1).rolling_max(DIVERGENCE_WINDOW) for x in (CLOSE, DIF))
    return Rules(
        buy=settled & (lowest_close > CLOSE) & (lowest_dif < DIF) & (DIF < 0),
        sell=settled & (highest_close < CLOSE) & (highest_dif > DIF) & (DIF > 0),
        values={"close_hfq": "close_hfq", "dif": "macd_dif"},
    )
