"""A small market with two backtests, for tests of what shows backtests."""

import logging
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.backtest import BacktestParams, run_backtest
from mystocks_dagster.tasks.run import TaskRun

SYMBOL = "600000.SH"
DAYS = [day for n in range(60) if (day := date(2025, 1, 6) + timedelta(days=n)).weekday() < 5]


def store_two_backtests(root: Path) -> list[str]:
    """Store a market in the lake of a project, trade it on two terms, and return both ids."""
    lake, before, rows = Lake(str(root / "data"), "real"), 10.0, []
    for number, day in enumerate(DAYS):
        close = round(before * (1.02 if number % 5 else 0.95), 2)
        high, low = max(before, close), min(before, close)
        rows.append((SYMBOL, day, before, high, low, close, before, 10**6, 1e7, 1.0, False, False))
        before = close
    bars = pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")
    lake.replace_days("daily_bars", DAILY_BARS.typed(bars), DAYS)
    said = [
        (SYMBOL, day, "ma_crossover", ("buy", "sell")[n % 2], 1.0, "") for n, day in enumerate(DAYS) if n % 4 == 0
    ] + [(SYMBOL, day, "ma_crossover", "sell", 1.0, "") for day in DAYS[6::8]]
    lake.replace_all("signals", SIGNALS.typed(pl.DataFrame(said, schema=list(SIGNALS.dtypes)[:6], orient="row")))
    settings = Settings.from_env()
    run = TaskRun(
        task_id="t", run_id="r", attempt=1, settings=settings, logger=logging.getLogger("task"),
        report_progress=lambda *_: None,
    )  # fmt: skip
    terms = (BacktestParams(), BacktestParams(max_positions=2, slippage_ticks=1))
    return [run_backtest(params, run).metadata["backtest_id"] for params in terms]
