"""Frames and lakes for the tests of the lake."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"), "real")


@pytest.fixture(scope="session")
def make_bars() -> Callable[..., pl.DataFrame]:
    """Make bars of one day for some symbols, all at one price."""

    def make(day: date, symbols: int | list[str] = 3, price: float = 10.0) -> pl.DataFrame:
        names = [f"{600000 + n}.SH" for n in range(symbols)] if isinstance(symbols, int) else symbols
        values = {
            "open": price,
            "high": price,
            "low": price,
            "close": price,
            "prev_close": price,
            "volume": 100,
            "amount": 100 * price,
        }
        flags = {"turnover": 1.5, "is_st": False, "suspended": False}
        frame = pl.DataFrame({"symbol": names}, schema={"symbol": pl.String})
        frame = frame.with_columns(
            pl.lit(day).alias("date"), *(pl.lit(v).alias(k) for k, v in (values | flags).items())
        )
        return DAILY_BARS.typed(frame)

    return make
