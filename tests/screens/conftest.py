"""A lake of a few symbols with what a screen must cope with: ex-days, suspensions, a listing, an unknown ratio."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

#: Weekdays up to Friday, 4 April 2025.
DAYS = [day for number in range(1050, -1, -1) if (day := date(2025, 4, 4) - timedelta(days=number)).weekday() < 5]
EX_DAY, LONG_PAUSE, LISTED, UNKNOWN = 700, range(650, 720), 735, 740


def bars(
    symbol: str, seed: int, days: list[date], suspended: range = range(0), halved: int | None = None
) -> pl.DataFrame:
    """Return raw bars of a random walk; `halved` is the number of the day on which the price is halved (10 for 10)."""
    rng = np.random.default_rng(seed)
    rows, before = [], 40.0
    for number, day in enumerate(days):
        before = round(before / 2, 2) if number == halved else before
        open_, close = (round(before * (1 + move), 2) for move in rng.normal(0, 0.02, 2))
        high, low = round(max(open_, close) * 1.01, 2), round(min(open_, close) * 0.99, 2)
        volume = int(rng.integers(1_000, 9_000)) * 100
        traded = (open_, high, low, close, before, volume, volume * close, 1.0, False, False)
        paused = (before, before, before, before, before, 0, 0.0, None, False, True)
        rows.append((symbol, day, *(paused if number in suspended else traded)))
        before = before if number in suspended else close
    frame = pl.DataFrame(rows, schema=list(DAILY_BARS.dtypes)[:12], orient="row")
    return DAILY_BARS.complete(frame).cast(DAILY_BARS.dtypes)


@pytest.fixture(scope="session")
def market() -> pl.DataFrame:
    """The bars of five symbols."""
    return pl.concat(
        [
            bars("600519.SH", 1, DAYS, halved=EX_DAY),
            bars("000001.SZ", 2, DAYS, suspended=LONG_PAUSE),
            bars("300750.SZ", 3, DAYS[LISTED:]),
            bars("688981.SH", 4, DAYS),
            bars("920001.BJ", 5, DAYS[:-1]),
        ]
    )


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory, market: pl.DataFrame) -> Lake:
    """The lake, for tests that only read it."""
    lake = Lake(str(tmp_path_factory.mktemp("screens") / "lake"), "real")
    lake.replace_all("daily_bars", market)
    events = [("600519.SH", DAYS[EX_DAY], 0.5), ("688981.SH", DAYS[UNKNOWN], None)]
    lake.replace_all("adjust_events", pl.DataFrame(events, schema=ADJUST_EVENTS.dtypes, orient="row"))
    return lake


@pytest.fixture
def empty(tmp_path: Path) -> Lake:
    """A lake without tables."""
    return Lake(str(tmp_path / "lake"), "real")


@pytest.fixture(scope="session")
def traded(market: pl.DataFrame) -> Callable[[str], dict[str, np.ndarray]]:
    """Return the traded bars of a symbol by hand, adjusted forward to the last day."""

    def of(symbol: str) -> dict[str, np.ndarray]:
        rows = market.filter(~pl.col("suspended"), symbol=symbol).sort("date")
        half = np.where((rows["date"] < DAYS[EX_DAY]).to_numpy() & (symbol == "600519.SH"), 0.5, 1.0)
        return {
            **{name: rows[name].to_numpy() * half for name in ("open", "high", "low", "close")},
            "volume": rows["volume"].to_numpy().astype(float),
        }

    return of
