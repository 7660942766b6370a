"""A computed table is outdated when what it was computed from has changed since, and by nothing else."""

from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.lake.outdated import all_outdated, computed_tables, outdated
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.watermarks import versions, watermarks
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.tables import BUILT_IN
from mystocks_dagster.market.tables.indicators import INDICATORS_DAILY
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.research import BACKTESTS

DAYS = [date(2026, 11, day) for day in (19, 20, 23, 24)]
INPUTS = ("daily_bars",)


def bars(day: date, close: float = 9.0) -> pl.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "close", "prev_close", "amount"), close)
    bar = {"symbol": "600000.SH", "date": day, **prices, "volume": 1, "is_st": False, "suspended": False}
    return pl.DataFrame([bar], schema=DAILY_BARS.dtypes)


def store(lake: Lake, day: date, close: float = 9.0) -> None:
    lake.replace_days("daily_bars", bars(day, close), [day])


def indicators(*days: date) -> pl.DataFrame:
    rows = pl.DataFrame({"symbol": "600000.SH", "date": days, "close_hfq": 9.0})
    return INDICATORS_DAILY.typed(rows)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Indicators of two days of bars."""
    lake = Lake(str(tmp_path / "lake"), "real")
    for day in DAYS[:2]:
        store(lake, day)
    seen = watermarks(["MA 1"], versions(lake, INPUTS))
    lake.replace_all("indicators_daily", indicators(*DAYS[:2]), watermarks=seen)
    return lake


def changed(lake: Lake, table: str = "indicators_daily") -> list[tuple]:
    return outdated(lake, BUILT_IN[table]).select("input", "date", "newest").rows()


def test_a_new_day_of_bars_makes_indicators_outdated_from_that_day_on(lake: Lake) -> None:
    assert changed(lake) == []
    store(lake, DAYS[2])
    assert changed(lake) == [("daily_bars", DAYS[2], DAYS[2])]


def test_a_repaired_old_day_does_too_although_the_newest_day_is_there(lake: Lake) -> None:
    store(lake, DAYS[0], 8.0)
    assert changed(lake) == [("daily_bars", DAYS[0], DAYS[1])]


def test_writing_an_old_day_of_indicators_does_not_make_them_current(lake: Lake) -> None:
    store(lake, DAYS[2])
    lake.replace_days("indicators_daily", indicators(DAYS[0]), [DAYS[0]])
    assert changed(lake) == [("daily_bars", DAYS[2], DAYS[2])]


def test_work_that_has_seen_the_change_makes_them_current_even_if_no_row_differs(lake: Lake) -> None:
    store(lake, DAYS[0], 8.0)
    lake.set_watermarks("indicators_daily", watermarks(["another indicator"], versions(lake, INPUTS)))
    assert changed(lake) == []


def test_compaction_of_the_bars_changes_nothing(lake: Lake) -> None:
    lake.compact("daily_bars")
    assert changed(lake) == []


def test_a_table_of_an_older_version_is_compared_by_its_newest_day(lake: Lake) -> None:
    lake.replace_all("indicators_daily", indicators(*DAYS[:2]))
    lake.replace_all("indicators_weekly", indicators(DAYS[0]))
    assert [row[0] for row in changed(lake)] == []
    assert changed(lake, "indicators_weekly") == [("daily_bars", DAYS[1], DAYS[1])]


def backtest(strategy: str, end: date, at: datetime) -> dict[str, object]:
    numbers = dict.fromkeys(("initial_capital", "final_equity", "total_return", "max_drawdown", "fees"), 1.0)
    same = {"strategy": strategy, "start_date": DAYS[0], "end_date": end, "trades": 0, "run_at": at}
    return {"backtest_id": f"{strategy} {at}", **same, **numbers, "annual_return": None, "sharpe": None}


def test_a_backtest_is_outdated_by_changes_within_its_window_only(lake: Lake) -> None:
    rows = [backtest("ma", DAYS[0], now() - timedelta(days=1)), backtest("ma", DAYS[1], now())]
    lake.replace_all("backtests", pl.DataFrame(rows, schema=BACKTESTS.dtypes))
    store(lake, DAYS[2])
    assert changed(lake, "backtests") == []
    store(lake, DAYS[1], 8.0)
    assert changed(lake, "backtests") == [("daily_bars", DAYS[1], DAYS[2])]


def test_a_table_that_was_never_computed_is_not_outdated(lake: Lake) -> None:
    store(lake, DAYS[2])
    assert all_outdated(lake)["table"].to_list() == ["indicators_daily"]
    assert set(computed_tables()) >= {"indicators_daily", "indicators_weekly", "signals", "backtests"}
