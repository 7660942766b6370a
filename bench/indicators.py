"""Time of indicators and signals for a whole market: `python bench/indicators.py [--symbols 5500] [--days 2430]`.

It runs the tasks one after another, and compares the formulas with MyTT in a loop over symbols. Only ratios are
comparable between machines: the unit is MyTT in the same run.
"""

import argparse
import logging
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date

import MyTT
import polars as pl
from lake import market

from mystocks_dagster.lake.events import refresh_events
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.indicators import INDICATORS, MA_WINDOWS, RSI_WINDOWS, blocks, indicator_table
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.indicators import IndicatorParams, calculate_technical_indicators
from mystocks_dagster.tasks.run import TaskResult, TaskRun
from mystocks_dagster.tasks.strategy import SignalParams, calculate_strategy_signals


def with_polars(bars: pl.DataFrame) -> None:
    for block in blocks(bars):
        indicator_table(block, INDICATORS)


def with_mytt(bars: pl.DataFrame) -> None:
    for _, frame in bars.group_by("symbol", maintain_order=True):
        close, high, low = (frame[name].to_numpy() for name in ("close", "high", "low"))
        columns = [
            *(MyTT.MA(close, window) for window in MA_WINDOWS),
            *MyTT.MACD(close),
            *MyTT.KDJ(close, high, low),
            *(MyTT.RSI(close, window) for window in RSI_WINDOWS),
            *MyTT.BOLL(close),
        ]
        frame.select("symbol", "date").with_columns(pl.Series(f"{i}", column) for i, column in enumerate(columns))


def timed(label: str, work: Callable[[], TaskResult | None], unit: float | None = None) -> float:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ratio = f"{unit / seconds:8.1f} x MyTT" if unit else ""
    summary = f"  {result.status}, {sum(result.rows.values()):,} rows" if result else ""
    print(f"{label:<48}{seconds:8.2f} s   peak so far {peak:.1f} GB{ratio}{summary}", flush=True)
    return seconds


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5500)
    parser.add_argument("--days", type=int, default=2430)
    parser.add_argument(
        "--mytt", type=int, default=500, help="symbols that MyTT computes; its time is scaled to all symbols"
    )
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2014, 1, 1), date(2024, 12, 31))[-arguments.days - 1 :]
    with tempfile.TemporaryDirectory() as folder:
        fill(folder, market(days, arguments.symbols), days)
        tasks(folder, days[-1])
        formulas(folder, arguments.mytt)


def fill(folder: str, bars: pl.DataFrame, days: list[date]) -> None:
    """Store all days except the last, which is written to a file beside the lake."""
    lake = Lake(f"{folder}/lake", "simulated:7")
    lake.replace_days("daily_bars", bars.filter(pl.col("date") < days[-1]), days[:-1])
    refresh_events(lake, days[:-1])
    bars.filter(pl.col("date") == days[-1]).write_parquet(f"{folder}/newest.parquet")
    print(f"{bars.height:,} bars, {len(days)} days")


def tasks(folder: str, newest: date) -> None:
    """Time the tasks: first run, no new data, one new day."""
    os.environ["MYSTOCKS_LAKE"] = f"{folder}/lake"
    logger = logging.getLogger("bench")
    run = TaskRun(
        task_id="t", run_id="r", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=lambda *_: None
    )
    lake = run.lake("simulated:7")

    def run_both(when: str) -> None:
        timed(f"indicators, {when}", lambda: calculate_technical_indicators(IndicatorParams(), run))
        timed(f"signals, {when}", lambda: calculate_strategy_signals(SignalParams(), run))

    run_both("first run")
    run_both("no new data")
    lake.replace_days("daily_bars", pl.read_parquet(f"{folder}/newest.parquet"), [newest])
    refresh_events(lake, [newest])
    run_both("one new day")
    run_both("no new data")
    lake.compact()
    run_both("after compaction")


def formulas(folder: str, count: int) -> None:
    """Time the formulas without the tasks."""
    columns = ["symbol", "date", "close", "high", "low"]
    bars = Lake(f"{folder}/lake").read("daily_bars", columns=columns)
    bars = bars.with_columns(pl.col("symbol").cast(pl.Categorical)).sort("symbol", "date")
    sample = bars.filter(pl.col("symbol").is_in(bars["symbol"].unique().head(count).to_list()))
    start = time.perf_counter()
    with_mytt(sample)
    unit = (time.perf_counter() - start) * bars.height / sample.height
    print(f"{'MyTT, symbol by symbol, scaled':<48}{unit:8.2f} s")
    timed("formulas of all symbols at once", lambda: with_polars(bars), unit)


if __name__ == "__main__":
    main()
