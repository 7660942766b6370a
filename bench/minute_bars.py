"""What minute bars of the whole market need: `python bench/minute_bars.py [--symbols 100] [--more 4]`.

The lake has no table of minute bars (docs/limits.md). This writes a month of made-up ones as the lake writes daily bars
(zstd level 1, row groups of 16,384, in order of symbol and time; one file per month and block of symbols), computes
the five standard indicators on them, and reads them. What it measures is estimated from the first sample for `--more`
times as many symbols, then measured there: the ratio in the last column says how far the estimate can be trusted. Then
3.3 billion bars, 5,500 symbols of ten years, are estimated in the same way. Times are processor seconds of one core.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.indicators import INDICATORS, indicator_table

_DAYS = shanghai().sessions(date(2025, 5, 1), date(2025, 5, 31))
#: Hour and minute at which each half of a day's bars begins, and the bar in it.
_MINUTES = [(begin, number) for begin in ((9, 31), (13, 1)) for number in range(120)]
_ALL = 5_500 * 250 * 10 * 240
_BLOCK = 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--more", type=int, default=4)
    arguments = parser.parse_args()
    indicator_table(month(1, 0), INDICATORS)  # compiles the formulas
    few, many = measured(arguments.symbols), measured(arguments.symbols * arguments.more)
    million = arguments.symbols * len(_DAYS) * 240 / 1e6
    print(f"{'':<44}{'per million bars':>17}{f'{arguments.more} x as many':>14}{'of estimate':>12}{'3.3 billion':>13}")
    for name, (value, kind) in many.items():
        first, unit = few[name][0], "MB" if kind == "size" else "s"
        estimate = first if kind == "query" else first * arguments.more
        rate = f"{first / million:.2f} {unit}" if kind != "query" else ""
        print(f"{name:<44}{rate:>17}{value:>11.2f} {unit:<2}{value / estimate:>12.2f}", end="")
        print(f"{whole(value / (arguments.symbols * arguments.more), value, kind):>13}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {peak:.2f} GB, with blocks of {_BLOCK} symbols")


def whole(each: float, value: float, kind: str) -> str:
    """Return what all bars need: `each` is what the month of one symbol needs."""
    months = _ALL / (len(_DAYS) * 240)
    match kind:
        case "size":
            return f"{each * months / 1e3:,.0f} GB"
        case "all":
            return f"{each * months / 60:,.1f} min"
        case "month":
            return f"{each * 5_500:.1f} s"
    return f"{value:.2f} s"


def month(symbols: int, first: int) -> pl.DataFrame:
    """Make a month of minute bars: prices in steps of 0.01 that walk, volumes in lots of a skewed size."""
    noise = np.random.default_rng(first)
    moments = [
        datetime.combine(day, datetime.min.time()) + timedelta(hours=begin[0], minutes=begin[1] + n)
        for day in _DAYS
        for begin, n in _MINUTES
    ]
    rows = len(moments)
    frames = []
    for number in range(first, first + symbols):
        close = np.round(noise.uniform(5, 60) * np.exp(np.cumsum(noise.normal(0, 0.0006, rows))), 2)
        opened = np.concatenate([close[:1], close[:-1]])
        spread = np.round(np.abs(noise.normal(0, 0.0004, rows)) * close, 2)
        volume = (noise.lognormal(4, 1.3, rows).astype(np.int64) + 1) * 100
        frames.append(
            pl.DataFrame(
                {
                    "symbol": pl.Series([f"{600000 + number:06d}.SH"]).new_from_index(0, rows),
                    "date": pl.Series(moments, dtype=pl.Datetime("ms")),
                    "open": opened,
                    "high": np.round(np.maximum(opened, close) + spread, 2),
                    "low": np.round(np.minimum(opened, close) - spread, 2),
                    "close": close,
                    "volume": volume,
                    "amount": np.round(volume * close, 2),
                }
            )
        )
    return pl.concat(frames)


def measured(symbols: int) -> Mapping[str, tuple[float, str]]:
    """Write, compute and read a month of so many symbols, block by block, as each worker of a cluster would."""
    spent: dict[str, float] = dict.fromkeys(("write", "indicators", "bytes of indicators", "bytes"), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, symbols, _BLOCK):
            bars = month(min(_BLOCK, symbols - first), first)
            path, results = Path(folder, f"bars-{first:05d}.parquet"), Path(folder, f"indicators-{first:05d}.parquet")
            spent["write"] += processor(lambda bars=bars, path=path: write(bars, path))
            del bars
            spent["indicators"] += processor(
                lambda path=path, results=results: write(indicator_table(pl.read_parquet(path), INDICATORS), results)
            )
            spent["bytes"] += path.stat().st_size
            spent["bytes of indicators"] += results.stat().st_size
        files = pl.scan_parquet(f"{folder}/bars-*.parquet")
        spent["whole"] = processor(
            lambda: files.group_by("symbol").agg(pl.col("amount").sum()).collect(engine="streaming")
        )
        one = pl.col("symbol") == "600050.SH"
        spent["one"] = processor(lambda: pl.scan_parquet(Path(folder, "bars-00000.parquet")).filter(one).collect())
        moment = datetime.combine(_DAYS[9], datetime.min.time()) + timedelta(hours=10)
        spent["minute"] = processor(lambda: files.filter(pl.col("date") == moment).collect())
    return {
        "bars on disk": (spent["bytes"] / 1e6, "size"),
        "indicators on disk (18 columns)": (spent["bytes of indicators"] / 1e6, "size"),
        "writing bars": (spent["write"], "all"),
        "reading bars, indicators, writing them": (spent["indicators"], "all"),
        "amounts by symbol, over all bars": (spent["whole"], "all"),
        "one minute of all symbols, in its month": (spent["minute"], "month"),
        "one symbol, one month, in its file": (spent["one"], "query"),
    }


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write as mystocks_dagster/lake/data_files.py does."""
    frame.write_parquet(path, compression="zstd", compression_level=1, row_group_size=16_384)


def processor(work: Callable[[], object]) -> float:
    """Return the processor seconds of this process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
