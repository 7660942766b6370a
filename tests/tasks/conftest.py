"""A lake with a small market of real kind, for the tasks that compute."""

import logging
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.market.tables.research import SIGNALS
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.run import TaskRun


@pytest.fixture
def computing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    """A run whose lake is an empty folder."""
    monkeypatch.setenv("MYSTOCKS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")
    logger, silent = logging.getLogger("task"), lambda *_: None
    return TaskRun(
        task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=silent
    )


@pytest.fixture
def computing_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[Lake, TaskRun]]:
    """Open a lake in a folder, with a run that computes in it: for tests that need several in turn."""
    monkeypatch.setenv("MYSTOCKS_NOW", "2025-04-07T16:30:00+08:00")

    def begin(folder: Path) -> tuple[Lake, TaskRun]:
        monkeypatch.setenv("MYSTOCKS_LAKE", str(folder))
        logger, silent = logging.getLogger("task"), lambda *_: None
        run = TaskRun(
            task_id="task", run_id="run", attempt=1, settings=Settings.from_env(), logger=logger, report_progress=silent
        )
        return run.lake("real"), run

    return begin


@pytest.fixture
def lake(computing: TaskRun) -> Lake:
    """The lake of `computing`, open for writing as the real world's."""
    return computing.lake("real")


@pytest.fixture
def weekdays() -> list[date]:
    """150 weekdays up to Friday, 4 April 2025 (holidays do not matter to what is computed)."""
    days = (date(2025, 4, 4) - timedelta(days=n) for n in range(400))
    return sorted([day for day in days if day.weekday() < 5][:150])


@pytest.fixture
def random_walk(weekdays: list[date]) -> Callable[..., pl.DataFrame]:
    """Make 150 raw bars of one symbol; suspended days repeat the last close."""

    def make(symbol: str, seed: int, suspended: tuple[int, ...] = ()) -> pl.DataFrame:
        rng = np.random.default_rng(seed)
        rows, before = [], 20.0
        for at, day in enumerate(weekdays):
            open_, close = (round(before * (1 + move), 2) for move in rng.normal(0, 0.02, 2))
            high, low = round(max(open_, close) * 1.005, 2), round(min(open_, close) * 0.995, 2)
            if at in suspended:
                rows.append((symbol, day, before, before, before, before, before, 0, 0.0, None, False, True))
            else:
                rows.append(
                    (symbol, day, open_, high, low, close, before, 1_000_000, 1_000_000 * close, 1.0, False, False)
                )
                before = close
        return DAILY_BARS.complete(pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")).cast(
            DAILY_BARS.dtypes
        )

    return make


@pytest.fixture
def alternating_market(lake: Lake, random_walk: Callable[..., pl.DataFrame], weekdays: list[date]) -> None:
    """Fill the lake with two stocks of 150 days, with a buy and a sale in turn every seven days."""
    lake.replace_days("daily_bars", pl.concat([random_walk("600000.SH", 1), random_walk("600001.SH", 2)]), weekdays)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    rows = [
        (symbol, day, "ma_crossover", ("buy", "sell")[number % 2], 1.0, "")
        for symbol, shift in (("600000.SH", 0), ("600001.SH", 3))
        for number, day in enumerate(weekdays[shift::7])
    ]
    signals = pl.DataFrame(rows, schema=list(SIGNALS.dtypes)[:6], orient="row")
    lake.replace_all("signals", SIGNALS.typed(signals))
