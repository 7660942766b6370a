"""Indicators and signals of a whole market: the task's runs one after another, and the formulas against MyTT in a loop over symbols.

`python bench/indicators.py [--symbols 5500] [--days 2430]`. Only ratios travel between machines: MyTT in the same run
is the unit.
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


def ours(bars: pl.DataFrame) -> None:
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


def timed(what: str, work: Callable[[], TaskResult | None], unit: float | None = None) -> float:
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ratio = f"{unit / seconds:8.1f} x MyTT" if unit else ""
    said = f"  {result.status}, {sum(result.rows.values()):,} rows" if result else ""
    print(f"{what:<48}{seconds:8.2f} s   peak so far {peak:.1f} GB{ratio}{said}", flush=True)
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=5500)
    parser.add_argument("--days", type=int, default=2430)
    parser.add_argument(
        "--mytt", type=int, default=500, help="symbols that MyTT computes; its time is scaled to all of them"
    )
    arguments = parser.parse_args()
    days = shanghai().sessions(date(2014, 1, 1), date(2024, 12, 31))[-arguments.days - 1 :]
    with tempfile.TemporaryDirectory() as folder:
        fill(folder, market(days, arguments.symbols), days)
        tasks(folder, days[-1])
        formulas(folder, arguments.mytt)


def fill(folder: str, bars: pl.DataFrame, days: list[date]) -> None:
    """Store all days but the last, which becomes a file beside the lake."""
    lake = Lake(f"{folder}/lake", "simulated:7")
    lake.replace_days("daily_bars", bars.filter(pl.col("date") < days[-1]), days[:-1])
    refresh_events(lake, days[:-1])
    bars.filter(pl.col("date") == days[-1]).write_parquet(f"{folder}/newest.parquet")
    print(f"{bars.height:,} bars, {len(days)} days")


def tasks(folder: str, newest: date) -> None:
    """Time the tasks: for the first time, with nothing new, with one new day."""
    os.environ["MYSTOCKS_LAKE"] = f"{folder}/lake"
    logger = logging.getLogger("bench")
    run = TaskRun(
        task_id="t", run_id="r", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=lambda *_: None
    )
    lake = run.lake("simulated:7")

    def both(when: str) -> None:
        timed(f"indicators, {when}", lambda: calculate_technical_indicators(IndicatorParams(), run))
        timed(f"signals, {when}", lambda: calculate_strategy_signals(SignalParams(), run))

    both("first run")
    both("nothing new")
    lake.replace_days("daily_bars", pl.read_parquet(f"{folder}/newest.parquet"), [newest])
    refresh_events(lake, [newest])
    both("one new day")
    both("nothing new")
    lake.compact()
    both("nothing new but compaction")


def formulas(folder: str, count: int) -> None:
    """Time the formulas alone."""
    columns = ["symbol", "date", "close", "high", "low"]
    bars = (
        Lake(f"{folder}/lake").read("daily_bars", columns=columns).with_columns(pl.col("symbol").cast(pl.Categorical))
    )
    bars = bars.sort("symbol", "date")
    some = bars.filter(pl.col("symbol").is_in(bars["symbol"].unique().head(count).to_list()))
    start = time.perf_counter()
    with_mytt(some)
    unit = (time.perf_counter() - start) * bars.height / some.height
    print(f"{'MyTT, symbol by symbol, scaled':<48}{unit:8.2f} s")
    timed("formulas of all symbols at once", lambda: ours(bars), unit)


if __name__ == "__main__":
    main()
