"""Time of indicators and signals for a whole market: `python bench/indicators.py [--symbols 5500] [--days 2430]`.

Only ratios can be compared between machines, so each line is a multiple of a rival in the same run: TA-Lib called
symbol by symbol on one core in three ways for the calculation; polars that reads the same inputs and writes the same
outputs as plain Parquet for the rebuild, and that reads the same columns for the signals; the rebuild for a new day. A
second multiple is one of processor time: it says what a quiet machine would, also on one that others use.
"""

import argparse
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import psutil
import talib
from lake import market

from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.indicators import INDICATORS, indicator_table
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskResult, TaskRun
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals

_PRICES = ("close", "high", "low")
_INPUTS = ["symbol", "date", "high", "low", "close", "suspended"]
_SIGNAL_INPUTS = ["symbol", "date", "close_hfq", "ma5", "ma20", "macd_dif", "kdj_k", "kdj_d"]
_MA_WINDOWS, _RSI_WINDOWS = (5, 10, 20, 60), (6, 12, 24)
_PERIODS = ("daily", "weekly")


def with_talib(close: np.ndarray, high: np.ndarray, low: np.ndarray) -> list[np.ndarray]:
    """Compute the same columns of one symbol; conventions differ, the work is the same."""
    return [
        *(talib.SMA(close, window) for window in _MA_WINDOWS),
        *talib.MACD(close),
        *talib.STOCH(high, low, close, 9, 3, 0, 3, 0),
        *(talib.RSI(close, window) for window in _RSI_WINDOWS),
        *talib.BBANDS(close, 20),
    ]


def with_pandas(bars: pd.DataFrame) -> pd.DataFrame:
    """Call TA-Lib with the frame of each symbol, as its users write it."""
    return pd.concat(
        pd.DataFrame(
            dict(enumerate(with_talib(*(frame[name].to_numpy() for name in _PRICES)))),
            index=frame.index,
        )
        for _, frame in bars.groupby("symbol", sort=False, observed=True)
    )


def with_polars(bars: pl.DataFrame) -> pl.DataFrame:
    """Call TA-Lib with the frame of each symbol."""
    return pl.concat(
        frame.select("symbol", "date").with_columns(
            pl.Series(f"{i}", column)
            for i, column in enumerate(with_talib(*(frame[name].to_numpy() for name in _PRICES)))
        )
        for _, frame in bars.group_by("symbol", maintain_order=True)
    )


def with_slices(bars: pl.DataFrame) -> pl.DataFrame:
    """Call TA-Lib with slices of the market's columns, and store what it returns in columns made before: the best."""
    prices = [bars[name].to_numpy() for name in _PRICES]
    ends = [*(np.flatnonzero(np.diff(bars["symbol"].to_physical().to_numpy())) + 1).tolist(), bars.height]
    results = [np.empty(bars.height) for _ in range(15)]
    for start, end in pairwise([0, *ends]):
        for result, column in zip(results, with_talib(*(price[start:end] for price in prices)), strict=True):
            result[start:end] = column
    return bars.select("symbol", "date").with_columns(pl.Series(f"{i}", column) for i, column in enumerate(results))


def columns_alone(bars: pl.DataFrame) -> list[np.ndarray]:
    """Write one number into as many new columns: no calculation is faster on one core."""
    return [np.full(bars.height, 1.0) for _ in range(15)]


@contextmanager
def on_one_core() -> Generator[None]:
    """Keep all threads of this process on one core: those of polars would help TA-Lib to its arrays on all of them."""
    if sys.platform != "linux":
        yield
        return
    cores = os.sched_getaffinity(0)
    threads = [int(path.name) for path in Path("/proc/self/task").iterdir()]
    for thread in threads:
        os.sched_setaffinity(thread, {min(cores)})
    try:
        yield
    finally:
        for thread in threads:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, cores)


class Peak:
    """The most memory that this process used within a `with` block beyond what it used before, in bytes."""

    def __enter__(self) -> "Peak":
        self._process, self._done = psutil.Process(), threading.Event()
        self.bytes, self._before = 0, self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.bytes = max(self.bytes, self._process.memory_info().rss - self._before)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


class Spent(NamedTuple):
    """Seconds, and seconds of all cores."""

    seconds: float
    busy: float


def timed(label: str, work: Callable[[], object], rival: Spent | None = None, unit: str = "rival") -> Spent:
    with Peak() as peak:
        start, busy = time.perf_counter(), time.process_time()
        result = work()
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    ratio = f"{seconds / rival.seconds:8.3f} x {unit} ({busy / rival.busy:.3f} x its cores)" if rival else ""
    summary = f"  {sum(result.rows.values()):,} rows" if isinstance(result, TaskResult) else ""
    memory = f"{peak.bytes / 2**30:6.2f} GB"
    print(f"{label:<52}{seconds:8.2f} s {busy:8.2f} s of cores {memory}{ratio}{summary}", flush=True)
    return Spent(seconds, busy)


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5500)
    parser.add_argument("--days", type=int, default=2430)
    parser.add_argument("--folder", help="where the lake is made; by default a temporary folder")
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2014, 1, 1), date(2024, 12, 31))[-arguments.days - 3 :]
    compile_kernels()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        fill(folder, market(days, arguments.symbols), days)
        calculation(folder)
        tasks(folder, days)


def compile_kernels() -> None:
    """Compile, or read from numba's cache; the first run on a machine takes as long as this says."""
    bars = market(shanghai().sessions(date(2024, 1, 1), date(2024, 6, 30)), 3)
    bars = bars.sort("symbol", "date")
    timed("kernels: import and compile, or read from the cache", lambda: indicator_table(bars, INDICATORS))


def fill(folder: str, bars: pl.DataFrame, days: list[date]) -> None:
    """Store all days except the last three, which are written to files beside the lake."""
    lake = Lake(f"{folder}/lake", "simulated:7")
    lake.replace_span("daily_bars", bars.filter(pl.col("date") < days[-3]), days[0], days[-4])
    refresh_events(lake, days[:-3])
    for day in days[-3:]:
        bars.filter(pl.col("date") == day).write_parquet(f"{folder}/{day}.parquet")
    print(f"{bars.height:,} bars, {len(days)} days")


def calculation(folder: str) -> None:
    """Time the calculation alone, from a sorted frame to columns."""
    bars = Lake(f"{folder}/lake").read("daily_bars", columns=["symbol", "date", "close", "high", "low"])
    bars = bars.with_columns(pl.col("symbol").cast(pl.Categorical)).sort("symbol", "date")
    for name in ("high", "low", "close"):
        assert bars[name].n_chunks() == 1
    table = bars.with_columns(pl.col("symbol").cast(pl.String)).to_pandas()
    ways = {
        "frames of pandas": lambda: with_pandas(table),
        "frames of polars": lambda: with_polars(bars),
        "slices of columns, the best": lambda: with_slices(bars),
    }
    with on_one_core():
        rivals = {name: [timed(f"TA-Lib: {name}", way) for _ in range(2)] for name, way in ways.items()}
        timed("15 columns of one number", lambda: columns_alone(bars))
        timed("calculation of all symbols, on one core", lambda: indicator_table(bars, INDICATORS))
    ours = best([timed("calculation of all symbols", lambda: indicator_table(bars, INDICATORS)) for _ in range(3)])
    for name, runs in rivals.items():
        print(f"{f'TA-Lib / calculation: {name}':<52}{best(runs) / ours:8.2f} x")


def best(runs: list["Spent"]) -> float:
    """Return the seconds of the fastest run."""
    return min(run.seconds for run in runs)


def tasks(folder: str, days: list[date]) -> None:
    """Time the tasks: first run, new days, a late event, no new data."""
    os.environ["MYSTOCKS_LAKE"] = f"{folder}/lake"
    logger, silent = logging.getLogger("bench"), lambda *_: None
    run = TaskRun(
        task_id="t", run_id="r", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=silent
    )
    lake = run.lake("simulated:7")
    params = IndicatorParams(periods=list(_PERIODS))

    def indicators() -> object:
        return calculate_technical_indicators(params, run)

    def signals() -> object:
        return calculate_strategy_signals(SignalParams(), run)

    first = timed("indicators: first run", indicators)
    plain = plain_time(lake, folder)
    timed(
        "indicators: rebuild",
        lambda: calculate_technical_indicators(params.model_copy(update={"force": True}), run),
        plain,
    )
    reading = timed(
        "rival: read the columns of the signals", lambda: lake.read("indicators_daily", columns=_SIGNAL_INPUTS)
    )
    signalled = timed("signals: first run", signals, reading)
    plain_signals(lake, folder, reading)
    for day in days[-3:]:
        lake.replace_days("daily_bars", pl.read_parquet(f"{folder}/{day}.parquet"), [day])
        refresh_events(lake, [day])
        timed(f"indicators: the new day {day:%A}", indicators, first, "first run")
        timed(f"signals: the new day {day:%A}", signals, signalled, "first run")
    timed("indicators: no new data", indicators, first, "first run")
    late = pl.DataFrame({"symbol": ["600001.SH"], "date": [days[-min(500, len(days) // 2)]], "ratio": [0.9]})
    lake.upsert("adjust_events", late)
    timed("indicators: an event of 500 days ago", indicators, first, "first run")
    timed("signals: after it", signals, signalled, "first run")
    lake.compact()
    timed("indicators: after compaction", indicators, first, "first run")


def plain_time(lake: Lake, folder: str) -> Spent:
    """Time polars that reads the inputs and writes the outputs as one Parquet file for each period."""
    outputs = {period: lake.read(f"indicators_{period}") for period in _PERIODS}
    size = sum(frame.estimated_size() for frame in outputs.values())
    target = Path(folder, "plain.parquet")

    def work() -> None:
        inputs = lake.read("daily_bars", columns=_INPUTS)
        print(f"  inputs {inputs.estimated_size() / 2**30:.2f} GB, outputs {size / 2**30:.2f} GB")
        for frame in outputs.values():
            frame.write_parquet(target)
            target.unlink()

    return timed("rival: read the inputs, write the outputs", work)


def plain_signals(lake: Lake, folder: str, reading: Spent) -> None:
    """Time what of the signals' first run computes nothing: reading, and writing them as one Parquet file."""
    signals = lake.read("signals")

    def work() -> None:
        lake.read("indicators_daily", columns=_SIGNAL_INPUTS)
        lake.read("daily_bars", columns=["symbol", "date", "close"])
        signals.write_parquet(Path(folder, "signals.parquet"))

    timed("of it: read, and write as plain Parquet", work, reading)


if __name__ == "__main__":
    main()
