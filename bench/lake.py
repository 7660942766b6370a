"""Time of the lake's operations on a whole market: `python bench/lake.py [--symbols 5000] [--years 10]`.

Only ratios are comparable between machines, so the bulk load is also printed as a multiple of the time in which polars
writes the same frame as a Parquet file.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.prices import adjusted_bars
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS

_INDICATOR_COLUMNS = ["symbol", "date", "high", "low", "close"]


def market(days: list[date], symbols: int, seed: int = 7) -> pl.DataFrame:
    """Make bars of random walks with about one ex-dividend day per symbol and year."""
    generator = np.random.default_rng(seed)
    rows = len(days) * symbols
    close = np.round(10 * np.exp(np.cumsum(generator.normal(0, 0.02, (len(days), symbols)), axis=0)), 2).ravel() + 1
    frame = pl.DataFrame(
        {
            "symbol": [f"{600000 + n:06d}.SH" for n in range(symbols)] * len(days),
            "date": pl.Series(days, dtype=pl.Date).gather(np.repeat(np.arange(len(days)), symbols)),
            "close": close,
            "prev_close": np.concatenate([close[:symbols], close[:-symbols]])
            - 0.1 * (generator.random(rows) < 1 / 244),
            "volume": generator.integers(1, 10**7, rows),
            "turnover": generator.random(rows),
        }
    ).with_columns(
        open=pl.col("close"),
        high=pl.col("close") + 0.1,
        low=pl.col("close") - 0.1,
        amount=pl.col("volume") * pl.col("close"),
        is_st=pl.lit(value=False),
        suspended=pl.lit(value=False),
    )
    return DAILY_BARS.typed(frame)


def timed(label: str, work: Callable[[], object], unit: float | None = None) -> float:
    """Run `work` once and print its wall time, and as a multiple of `unit` seconds."""
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    print(f"{label:<58}{seconds:9.3f} s" + (f"{seconds / unit:8.1f} x" if unit else ""), flush=True)
    return seconds


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5000)
    parser.add_argument("--years", type=int, default=10)
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2025 - arguments.years, 1, 1), date(2024, 12, 31))
    frame = market(days, arguments.symbols)
    print(f"{frame.height:,} bars, {len(days)} days, {arguments.symbols} symbols")
    with tempfile.TemporaryDirectory() as folder:
        parquet = timed(
            "polars write_parquet of the same frame", lambda: frame.write_parquet(Path(folder, "all.parquet"))
        )
        lake = Lake(f"{folder}/lake", "simulated:7")
        measure(lake, frame, days, parquet)


def measure(lake: Lake, frame: pl.DataFrame, days: list[date], parquet: float) -> None:
    """Time loads, replacements and reads of a market."""
    old, new = days[len(days) // 2], days[-1]
    middle, newest = (frame.filter(pl.col("date") == day) for day in (old, new))
    history = frame.filter(pl.col("date") < new)
    timed(
        "replace_days: all days but the newest at once",
        lambda: lake.replace_days("daily_bars", history, days[:-1]),
        parquet,
    )
    timed("refresh_events: all of them", lambda: refresh_events(lake, days[:-1]))
    timed("replace_days: the newest day is added", lambda: lake.replace_days("daily_bars", newest, [new]))
    timed("refresh_events: the newest day", lambda: refresh_events(lake, [new]))
    timed("replace_days: a day in the middle is replaced", lambda: lake.replace_days("daily_bars", middle, [old]))
    timed("refresh_events: a day in the middle", lambda: refresh_events(lake, [old]))
    timed("upsert: a day in the middle", lambda: lake.upsert("daily_bars", middle))
    timed("days", lambda: lake.days("daily_bars"))
    timed("tables (rows and bytes)", lake.tables)
    timed("head", lambda: lake.head("daily_bars"))
    timed("read: one symbol, all days", lambda: lake.read("daily_bars", symbols=["600500.SH"]))
    timed("read: one day, all symbols", lambda: lake.read("daily_bars", start=old, end=old))
    timed("read: the five columns that indicators need", lambda: lake.read("daily_bars", columns=_INDICATOR_COLUMNS))
    timed("adjusted_bars: the same, backward-adjusted", lambda: adjusted_bars(lake, columns=_INDICATOR_COLUMNS))
    timed(
        "query: mean close by year", lambda: lake.query("SELECT year(date) AS y, avg(close) FROM daily_bars GROUP BY y")
    )
    timed("compact", lake.compact)


if __name__ == "__main__":
    main()
