"""The whole market's indicators at once (polars) against MyTT in a loop over symbols: `python bench/indicators.py [symbols] [days]`."""

import sys
import time
from datetime import date, timedelta

import MyTT
import numpy as np
import polars as pl

from mystocks_dagster.market.indicators import INDICATORS, MA_WINDOWS, RSI_WINDOWS, indicator_table


def market(symbols: int, days: int) -> pl.DataFrame:
    """Random walks, in order of date and symbol as the lake keeps them."""
    close = 10 * np.exp(np.random.default_rng(1).normal(0, 0.02, (days, symbols)).cumsum(axis=0)).ravel()
    dates = [date(2016, 1, 4) + timedelta(days=i) for i in range(days)]
    return pl.DataFrame({"close": close, "high": close * 1.01, "low": close * 0.99}).with_columns(
        symbol=pl.Series([f"{i:06d}.SZ" for i in range(symbols)] * days), date=pl.Series(dates).repeat_by(symbols).explode()
    )


def with_mytt(bars: pl.DataFrame) -> pl.DataFrame:
    tables = []
    for _, frame in bars.sort("symbol", "date").group_by("symbol", maintain_order=True):
        close, high, low = (frame[name].to_numpy() for name in ("close", "high", "low"))
        columns = [
            *(MyTT.MA(close, window) for window in MA_WINDOWS),
            *MyTT.MACD(close),
            *MyTT.KDJ(close, high, low),
            *(MyTT.RSI(close, window) for window in RSI_WINDOWS),
            *MyTT.BOLL(close),
        ]
        tables.append(frame.select("symbol", "date").with_columns(pl.Series(f"{i}", column) for i, column in enumerate(columns)))
    return pl.concat(tables)


def seconds(work, *arguments) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def main() -> None:
    symbols, days = (int(text) for text in sys.argv[1:3]) if len(sys.argv) > 2 else (5500, 2430)
    bars = market(symbols, days)
    ours, theirs = seconds(indicator_table, bars, INDICATORS), seconds(with_mytt, bars)
    print(f"{symbols} symbols x {days} days, {bars.height:,} bars, {len(INDICATORS)} indicators in 16 columns")
    print(f"polars, all at once    {ours:6.1f} s")
    print(f"MyTT, symbol by symbol {theirs:6.1f} s")
    print(f"ratio                  {theirs / ours:6.1f}")


if __name__ == "__main__":
    main()
