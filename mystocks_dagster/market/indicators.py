"""Technical indicators as 通达信 defines them: functions from polars expressions to polars expressions.

Every function expects the bars of one symbol in ascending order of date, without the days on which it did not trade.
On a frame of many symbols use it inside `.over("symbol")`. A value is null until its window is full. Exponential
moving averages start at the first bar, so their first values depend on where the history starts (after five times
the window by less than one percent of the first price).

Formulas, conventions and references: docs/indicators.md.
"""

from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Literal, get_args

import polars as pl

Indicator = Literal["MA", "MACD", "KDJ", "RSI", "BOLL"]
INDICATORS: tuple[Indicator, ...] = get_args(Indicator)

MA_WINDOWS = (5, 10, 20, 60)
RSI_WINDOWS = (6, 12, 24)

_TINY = 1e-300

#: The columns of each indicator, named as in `tables.indicators.INDICATORS_DAILY`.
COLUMNS = MappingProxyType(
    {
        "MA": tuple(f"ma{window}" for window in MA_WINDOWS),
        "MACD": ("macd_dif", "macd_dea", "macd"),
        "KDJ": ("kdj_k", "kdj_d", "kdj_j"),
        "RSI": tuple(f"rsi{window}" for window in RSI_WINDOWS),
        "BOLL": ("boll_mid", "boll_upper", "boll_lower"),
    }
)


def ma(x: pl.Expr, window: int) -> pl.Expr:
    """Mean of the last `window` bars; null in the first `window - 1` rows.

    Examples:
        >>> pl.DataFrame({"x": [1.0, 2.0, 4.0]}).select(ma(pl.col("x"), 2))["x"].to_list()
        [None, 1.5, 3.0]
    """
    return x.rolling_mean(window)


def ema(x: pl.Expr, window: int) -> pl.Expr:
    """EMA(X,N): y = (2x + (N-1)y') / (N+1), starting at the first x.

    Examples:
        >>> pl.DataFrame({"x": [1.0, 2.0, 4.0]}).select(ema(pl.col("x"), 3))["x"].to_list()
        [1.0, 1.5, 2.75]
    """
    return x.ewm_mean(span=window, adjust=False)


def sma(x: pl.Expr, window: int, weight: int = 1) -> pl.Expr:
    """SMA(X,N,M), the smoothed average of 通达信: y = (Mx + (N-M)y') / N, starting at the first x that is not null.

    Examples:
        >>> pl.DataFrame({"x": [None, 4.0, 1.0]}).select(sma(pl.col("x"), 3))["x"].to_list()
        [None, 4.0, 3.0]
    """
    return x.ewm_mean(alpha=weight / window, adjust=False)


def macd(close: pl.Expr, short: int = 12, long: int = 26, signal: int = 9) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """DIF, DEA and the bar of MACD, in the unit of `close`; the bar is 2 x (DIF - DEA), twice the western histogram."""
    dif = ema(close, short) - ema(close, long)
    dea = ema(dif, signal)
    return dif, dea, 2 * (dif - dea)


def kdj(
    close: pl.Expr, high: pl.Expr, low: pl.Expr, window: int = 9, k: int = 3, d: int = 3
) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """K, D and J of the stochastic oscillator; null in the first `window - 1` rows.

    RSV is the position of the close between the window's low and high, in percent; it is 50 if all prices of the
    window are equal. K and D are smoothed RSV within 0..100. J = 3K - 2D may leave that range.
    """
    lowest, highest = low.rolling_min(window), high.rolling_max(window)
    # The tiny addends vanish beside any range, and give 50 if the range is 0. A fill_nan here takes three times as
    # long over groups.
    rsv = (close - lowest + _TINY) / (highest - lowest + 2 * _TINY) * 100
    k_line = sma(rsv, k)
    d_line = sma(k_line, d)
    return k_line, d_line, 3 * k_line - 2 * d_line


def rsi(close: pl.Expr, window: int) -> pl.Expr:
    """Smoothed rises as a percentage of smoothed moves, 0..100; null until the price first changes."""
    move = close.diff()
    rises, moves = sma(move.clip(lower_bound=0), window), sma(move.abs(), window)
    return (rises / moves * 100).fill_nan(None)


def boll(close: pl.Expr, window: int = 20, width: float = 2) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Middle, upper and lower Bollinger band; null in the first `window - 1` rows.

    The standard deviation is the sample's (divided by `window - 1`), like 通达信's STD; MyTT and TA-Lib divide by
    `window`.
    """
    middle = ma(close, window)
    spread = width * close.rolling_std(window, ddof=1)
    return middle, middle + spread, middle - spread


def indicator_columns(indicators: Sequence[Indicator]) -> list[pl.Expr]:
    """Return the named columns of `indicators`, computed from `close`, `high` and `low` of one symbol."""
    close = pl.col("close")
    formulas: dict[str, tuple[pl.Expr, ...]] = {
        "MA": tuple(ma(close, window) for window in MA_WINDOWS),
        "MACD": macd(close),
        "KDJ": kdj(close, pl.col("high"), pl.col("low")),
        "RSI": tuple(rsi(close, window) for window in RSI_WINDOWS),
        "BOLL": boll(close),
    }
    return [
        formula.alias(name)
        for indicator in dict.fromkeys(indicators)
        for name, formula in zip(COLUMNS[indicator], formulas[indicator], strict=True)
    ]


def indicator_table(bars: pl.DataFrame, indicators: Sequence[Indicator]) -> pl.DataFrame:
    """Compute indicators for all symbols of `bars`, one row per bar, in the same order.

    Args:
        bars: `symbol`, `date` and hfq `close`, `high`, `low` of the bars on which the symbol traded, in order of symbol
            and date.
        indicators: The indicators to compute.

    Returns:
        `symbol`, `date`, `close_hfq` and the columns of `indicators`.
    """
    columns = (column.over("symbol") for column in indicator_columns(indicators))
    return bars.select("symbol", "date", pl.col("close").alias("close_hfq"), *columns)


def blocks(bars: pl.DataFrame, rows: int = 1_000_000) -> Iterator[pl.DataFrame]:
    """Split bars, sorted by symbol, at symbol boundaries into blocks of about `rows` rows, without copying."""
    start = length = 0
    for symbol_rows in bars["symbol"].rle().struct.field("len"):
        if length and length + symbol_rows > rows:
            yield bars.slice(start, length)
            start, length = start + length, 0
        length += symbol_rows
    yield bars.slice(start, length)
