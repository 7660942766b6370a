"""What a load knows of the bars that it has stored itself is what the lake would answer."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mystocks_dagster.lake.identity import state_change
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_bars import OwnBars, StoredBars
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.tables.market import DAILY_BARS

SESSIONS = shanghai().sessions(date(2024, 10, 8), date(2025, 2, 28))
FRAMES = [[day for day in SESSIONS if day.month == month] for month in (10, 11, 12, 1, 2)]
ALWAYS, ENDED, BEGUN, PAUSED = "600000.SH", "600001.SH", "600002.SH", "600003.SH"


def bars(days: list[date]) -> pl.DataFrame:
    """Make bars of a symbol with all days, one that ends, one that begins, and one that is suspended in December."""
    rows = [
        {"symbol": symbol, "date": day, "close": 10.0 + 0.01 * SESSIONS.index(day), "suspended": suspended}
        for symbol in (ALWAYS, ENDED, BEGUN, PAUSED)
        for day in days
        if not (symbol == ENDED and day >= date(2024, 11, 20)) and not (symbol == BEGUN and day < date(2025, 1, 6))
        for suspended in [symbol == PAUSED and day.month == 12]
    ]
    prices = {name: pl.col("close") for name in ("open", "high", "low", "prev_close")}
    frame = pl.DataFrame(rows).with_columns(**prices, volume=pl.lit(100), amount=pl.col("close") * 100)
    return DAILY_BARS.typed(frame)


@pytest.fixture
def add(lake: Lake) -> Callable[[OwnBars, list[date]], None]:
    """Store a frame as a load does: it is told first, then written."""

    def store(own: OwnBars, days: list[date]) -> None:
        own.add(bars(days))
        lake.replace_days("daily_bars", bars(days), days)

    return store


def by_key(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("symbol", *(name for name in ("date",) if name in frame.columns))


@pytest.mark.parametrize("stored_before", [0, 2])
def test_a_load_knows_of_its_own_bars_what_the_lake_would_say(lake: Lake, add, stored_before: int):
    for days in FRAMES[:stored_before]:
        lake.replace_days("daily_bars", bars(days), days)
    own, asked = OwnBars(lake, lambda: None), StoredBars(lake)
    symbols = [ALWAYS, ENDED, BEGUN, PAUSED, "600009.SH"]
    for days in FRAMES[stored_before:]:
        assert_frame_equal(by_key(own.near(days)), by_key(asked.near(days)))
        add(own, days)
        before = by_key(asked.last_before(symbols, days[0]))
        assert_frame_equal(by_key(own.last_before(symbols, days[0])), before)
    assert {day for day in own.suspended_days({2024}) if day.year == 2024} == set(FRAMES[2])
    assert by_key(own.last_before([ENDED], FRAMES[-1][0])).rows() == [(ENDED, date(2024, 11, 19), pytest.approx(10.30))]


def test_after_a_change_of_codes_the_last_bar_is_that_of_the_old_code(lake: Lake, add):
    own = OwnBars(lake, lambda: None)
    for days in FRAMES[:3]:
        add(own, days)
    state_change(lake, ENDED, BEGUN, date(2025, 1, 6))
    near = own.near(FRAMES[3])
    assert ENDED not in near["symbol"].to_list()
    add(own, FRAMES[3])
    assert own.last_before([BEGUN], FRAMES[3][0])["earlier_date"].to_list() == [date(2024, 11, 19)]


def test_bars_that_are_still_being_written_are_waited_for(lake: Lake):
    days = FRAMES[0]
    lake.replace_days("daily_bars", bars(days), days)
    later = FRAMES[1]
    own = OwnBars(lake, lambda: lake.replace_days("daily_bars", bars(later), later) and None)
    assert own.near(FRAMES[2])["date"].max() == later[-1]
    assert own.near(FRAMES[2])["date"].min() >= FRAMES[2][0] - timedelta(days=25)
