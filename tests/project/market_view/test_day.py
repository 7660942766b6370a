"""The overview of a day: counts that can be checked by hand."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from support.small_market import FRIDAY, MONDAY

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.project.market_view.day import market_day


def test_each_board_counts_its_rises_falls_and_limits(lake: Lake) -> None:
    market = market_day(lake)
    assert market is not None
    assert (market.day, market.previous, market.following) == (MONDAY, FRIDAY, None)
    counts = {
        row.board: (row.up, row.flat, row.down, row.limit_up, row.limit_down, row.suspended) for row in market.breadth
    }
    assert counts == {
        "main": (1, 0, 1, 1, 0, 0),
        "chinext": (1, 0, 0, 1, 0, 0),
        "star": (0, 0, 1, 0, 1, 0),
        "bse": (0, 0, 0, 0, 0, 1),
        "all": (2, 0, 2, 2, 1, 1),
    }
    # A million shares each at the mean of open and close.
    assert market.breadth[-1].amount == pytest.approx(1e6 * (10.5 + 9.75 + 11 + 9))
    assert market.amount_before == pytest.approx(1e6 * 10)


def test_leaders_are_those_that_rose_or_fell_and_never_a_suspended_one(lake: Lake) -> None:
    market = market_day(lake)
    assert market is not None
    assert [(row["name"], round(row["change_pct"], 2)) for row in market.risers] == [
        ("宁德时代", 20.0),
        ("贵州茅台", 10.0),
    ]
    assert [(row["name"], round(row["change_pct"], 2)) for row in market.fallers] == [
        ("中芯国际", -20.0),
        ("平安银行", -5.0),
    ]


def test_an_earlier_day_and_one_that_is_not_stored(lake: Lake) -> None:
    friday = market_day(lake, FRIDAY)
    assert friday is not None
    assert (friday.previous, friday.following) == (None, MONDAY)
    assert friday.amount_before is None
    with pytest.raises(UnknownName, match="2026-11-20 and 2026-11-23"):
        market_day(lake, date(2026, 11, 21))


def test_a_screen_of_the_day_is_told_with_its_stocks_by_turnover_and_one_that_nobody_passed(lake: Lake) -> None:
    runs = {"date": MONDAY, "screened": 4, "without_values": 0, "doubtful": 0, "period": "daily", "formula": "C>O"}
    lake.upsert(
        "screen_runs",
        pl.DataFrame(
            [{**runs, "screen": "UP", "passed": 2}, {**runs, "screen": "NONE", "passed": 0}],
            schema=TABLES["screen_runs"].dtypes,
        ),
    )
    rows = [
        {
            "screen": "UP",
            "date": MONDAY,
            "symbol": symbol,
            "close": 1.0,
            "values": "{}",
            "period": "daily",
            "formula": "C>O",
        }
        for symbol in ("600519.SH", "300750.SZ")
    ]
    lake.replace_days("screens", pl.DataFrame(rows, schema=TABLES["screens"].dtypes), [MONDAY])
    market, friday = market_day(lake), market_day(lake, FRIDAY)
    assert market is not None
    assert friday is not None
    told = [(row["screen"], row["passed"], [one["name"] for one in row["stocks"]]) for row in market.screens]
    # A million shares each at the mean of open and close: 11 and 10.5 CNY.
    assert told == [("NONE", 0, []), ("UP", 2, ["宁德时代", "贵州茅台"])]
    assert friday.screens == []


def test_an_empty_lake_has_no_day(tmp_path: Path) -> None:
    assert market_day(Lake(str(tmp_path / "lake"))) is None
