"""Speed of the lake with a whole market: `python bench/lake.py [--symbols 5000] [--years 10]`.

Only ratios can be compared between machines. So lines show how many times as long as a rival they take, in the same
run. The rival is polars that writes or reads the same rows, and sorts them where sorting is part of the work.
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
_EVENT_COLUMNS = ["symbol", "date", "prev_close", "close"]
_SYMBOL = ["600500.SH"]


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
    missing = (pl.lit(None).alias(name) for name in DAILY_BARS.dtypes if name not in frame.columns)
    return frame.with_columns(*missing).select(pl.col(name).cast(dtype) for name, dtype in DAILY_BARS.dtypes.items())


def timed(label: str, work: Callable[[], object], rival: float | None = None, *, times: int = 1) -> float:
    """Run `work`, and print the shortest wall time, also as a multiple of the rival's."""
    seconds = min(_seconds(work) for _ in range(times))
    print(f"{label:<72}{seconds:9.3f} s" + (f"{seconds / rival:8.2f} x" if rival else ""), flush=True)
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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
        lake = Lake(f"{folder}/lake", "simulated:7")
        measure_writes(lake, frame, days, Path(folder))
        del frame
        measure_events(lake, days)
        measure_reads(lake, days)


def measure_writes(lake: Lake, frame: pl.DataFrame, days: list[date], folder: Path) -> None:
    """Time loads and replacements against polars, which writes the same rows as one Parquet file."""
    old, new = days[len(days) // 2], days[-1]
    middle, newest = (frame.filter(pl.col("date") == day) for day in (old, new))
    history = frame.filter(pl.col("date") < new)
    parquet = timed("rival: polars write_parquet of all rows", lambda: frame.write_parquet(folder / "all.parquet"))
    bulk = timed("replace_span: all rows", lambda: lake.replace_span("daily_bars", frame, days[0], new), parquet)
    timed("replace_days: all rows", lambda: lake.replace_days("daily_bars", history, days[:-1]), parquet)
    timed(
        "replace_days: a day in the middle / replace_span of all rows",
        lambda: lake.replace_days("daily_bars", middle, [old]),
        bulk,
        times=3,
    )
    timed("upsert: a day in the middle", lambda: lake.upsert("daily_bars", middle), bulk, times=3)
    timed("replace_days: the newest day is added", lambda: lake.replace_days("daily_bars", newest, [new]))


def measure_events(lake: Lake, days: list[date]) -> None:
    """Time the derivation of events against reading and sorting the columns that it needs."""
    rival = timed(
        "rival: read and sort the four columns of events",
        lambda: lake.read("daily_bars", columns=_EVENT_COLUMNS).sort("symbol", "date"),
    )
    timed("refresh_events: all of them", lambda: refresh_events(lake, days), rival)
    timed("refresh_events: the newest day", lambda: refresh_events(lake, days[-1:]))
    timed("refresh_events: a day in the middle", lambda: refresh_events(lake, [days[len(days) // 2]]))


def measure_reads(lake: Lake, days: list[date]) -> None:
    """Time adjusted reads against raw ones, and the other reads."""
    day = days[len(days) // 2]
    raw = timed("rival: read five columns", lambda: lake.read("daily_bars", columns=_INDICATOR_COLUMNS), times=3)
    for how in ("hfq", "qfq"):
        timed(
            f"adjusted_bars: the same columns, {how}, sorted by symbol and date",
            lambda how=how: adjusted_bars(lake, how, columns=_INDICATOR_COLUMNS),
            raw,
            times=3,
        )
    one = timed("rival: read one symbol, all days", lambda: lake.read("daily_bars", symbols=_SYMBOL), times=5)
    timed("adjusted_bars: one symbol, all days", lambda: adjusted_bars(lake, symbols=_SYMBOL), one, times=5)
    timed("read: one day, all symbols", lambda: lake.read("daily_bars", start=day, end=day))
    timed("days", lambda: lake.days("daily_bars"))
    timed("tables (rows and bytes)", lake.tables)
    timed("head", lambda: lake.head("daily_bars"))
    timed(
        "query: mean close by year", lambda: lake.query("SELECT year(date) AS y, avg(close) FROM daily_bars GROUP BY y")
    )
    timed("compact", lake.compact)


if __name__ == "__main__":
    main()
