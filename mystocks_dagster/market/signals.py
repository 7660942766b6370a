"""Signals of the three strategies. A signal uses bars up to its own day only and is known after that day's close.

A strategy is a pair of conditions (buy, sell) on the rows of one symbol in ascending order of date, used
`.over("symbol")`. A null indicator gives no signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from types import MappingProxyType
from typing import Literal, get_args

import polars as pl

StrategyName = Literal["ma_crossover", "macd_divergence", "kdj_overbought"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)

#: A divergence compares a bar with this many bars before it.
DIVERGENCE_WINDOW = 20
#: Bars until the windows of the slow average (26) and of the average of DIF (9) are full.
MACD_WARM_UP = 26 + 9 - 2
OVERBOUGHT, OVERSOLD = 80, 20

DIF, CLOSE, K, D = pl.col("macd_dif"), pl.col("close_hfq"), pl.col("kdj_k"), pl.col("kdj_d")
MA5, MA20 = pl.col("ma5"), pl.col("ma20")


def crosses_above(fast: pl.Expr, slow: pl.Expr) -> pl.Expr:
    """True on the bar on which `fast` is above `slow` and was not so on the previous bar (通达信's CROSS)."""
    # Two means of a constant price differ in their last digits: that is not a crossing.
    above = fast - slow > 1e-9 * slow.abs()
    return above & ~above.shift(1)


def bottom_divergence() -> pl.Expr:
    """底背离: the close is below all closes of the previous 20 bars, but DIF < 0 is above their lowest DIF."""
    lowest_close, lowest_dif = (x.shift(1).rolling_min(DIVERGENCE_WINDOW) for x in (CLOSE, DIF))
    return _settled() & (lowest_close > CLOSE) & (lowest_dif < DIF) & (DIF < 0)


def top_divergence() -> pl.Expr:
    """顶背离: the close is above all closes of the previous 20 bars, but DIF > 0 is below their highest DIF."""
    highest_close, highest_dif = (x.shift(1).rolling_max(DIVERGENCE_WINDOW) for x in (CLOSE, DIF))
    return _settled() & (highest_close < CLOSE) & (highest_dif > DIF) & (DIF > 0)


def leaves_oversold() -> pl.Expr:
    """True where K crosses above D after a bar on which both were below 20."""
    return crosses_above(K, D) & (K.shift(1) < OVERSOLD) & (D.shift(1) < OVERSOLD)


def leaves_overbought() -> pl.Expr:
    """True where K crosses below D after a bar on which both were above 80."""
    return crosses_above(D, K) & (K.shift(1) > OVERBOUGHT) & (D.shift(1) > OVERBOUGHT)


def _settled() -> pl.Expr:
    """True where all bars of the divergence window are after MACD's warm-up."""
    return pl.int_range(pl.len()) >= MACD_WARM_UP + DIVERGENCE_WINDOW


@dataclass(frozen=True)
class Strategy:
    """A strategy: the indicator columns it reads, its conditions, and the detail of its signals."""

    columns: tuple[str, ...]
    buy: pl.Expr
    sell: pl.Expr
    detail: pl.Expr


_STRATEGIES = MappingProxyType(
    {
        "ma_crossover": Strategy(
            columns=("ma5", "ma20"),
            buy=crosses_above(MA5, MA20),
            sell=crosses_above(MA20, MA5),
            detail=pl.format("ma5 {} ma20 {}", MA5.round(4), MA20.round(4)),
        ),
        "macd_divergence": Strategy(
            columns=("macd_dif",),
            buy=bottom_divergence(),
            sell=top_divergence(),
            detail=pl.format("close_hfq {} dif {}", CLOSE.round(4), DIF.round(4)),
        ),
        "kdj_overbought": Strategy(
            columns=("kdj_k", "kdj_d"),
            buy=leaves_oversold(),
            sell=leaves_overbought(),
            detail=pl.format("k {} d {}", K.round(2), D.round(2)),
        ),
    }
)


def needed_columns(strategies: Sequence[StrategyName]) -> tuple[str, ...]:
    """Return the indicator columns that `strategies` read."""
    return tuple(dict.fromkeys(column for name in strategies for column in _STRATEGIES[name].columns))


def strategy_signals(
    indicators: pl.DataFrame, strategies: Sequence[StrategyName], since: date = date.min
) -> pl.DataFrame:
    """Return the signals from the day `since` on, sorted by symbol, date, strategy and side.

    Args:
        indicators: Daily rows with `symbol`, `date`, `close_hfq` and the columns of `needed_columns(strategies)`, from
            each symbol's first one on, sorted by symbol and date.
        strategies: The strategies to evaluate.
        since: The first day to return.

    Returns:
        `symbol`, `date`, `strategy`, `side` (buy or sell) and `detail` (the values that gave the signal).
    """
    names = dict.fromkeys(strategies)
    frames = [_signals_of(indicators, name, side, since) for name, side in product(names, ("buy", "sell"))]
    return pl.concat(frames).sort("symbol", "date", "strategy", "side")


def _signals_of(rows: pl.DataFrame, name: StrategyName, side: Literal["buy", "sell"], since: date) -> pl.DataFrame:
    strategy = _STRATEGIES[name]
    condition = strategy.buy if side == "buy" else strategy.sell
    return rows.filter(condition.over("symbol") & (pl.col("date") >= since)).select(
        "symbol", "date", pl.lit(name).alias("strategy"), pl.lit(side).alias("side"), strategy.detail.alias("detail")
    )
