"""What is drawn: bars of a period, adjusted, with the marks of days."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.small_market import bar

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.project.market_view.bars import bars_of
from mystocks_dagster.project.market_view.chart import chart_of
from mystocks_dagster.project.market_view.securities import Security

MAOTAI = Security(symbol="600519.SH", name="贵州茅台", kind="stock", initials="gzmt")
#: Ten trading days over three weeks, the last of them in another month; half the price on the sixth.
DAYS = [date(2026, 10, 19) + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9, 10, 14)]
CLOSES = [10.0, 11.0, 12.0, 11.0, 12.0, 6.0, 6.5, 6.0, 6.6, 7.0]


@pytest.fixture
def history(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"), "real")
    before = [10.0, *CLOSES[:4], 6.0, *CLOSES[5:-1]]  # the exchange states 6.0 after a split of 1 into 2
    rows = [bar("600519.SH", day, prev, close) for day, prev, close in zip(DAYS, before, CLOSES, strict=True)]
    lake.replace_days("daily_bars", pl.DataFrame(rows, schema=DAILY_BARS.dtypes), DAYS)
    event = {"symbol": "600519.SH", "date": DAYS[5], "ratio": 0.5}
    lake.replace_all("adjust_events", pl.DataFrame([event], schema=ADJUST_EVENTS.dtypes))
    return lake


def test_raw_forward_and_backward_adjusted_prices_differ_by_the_split(history: Lake) -> None:
    closes = {how: bars_of(history, MAOTAI, adjustment=how)["close"].to_list() for how in ("none", "qfq", "hfq")}
    assert closes["none"] == CLOSES
    assert closes["qfq"] == pytest.approx([close / 2 for close in CLOSES[:5]] + CLOSES[5:])
    assert closes["hfq"] == pytest.approx(CLOSES[:5] + [close * 2 for close in CLOSES[5:]])


def test_a_week_and_a_month_have_the_first_open_and_the_sum_of_the_volume(history: Lake) -> None:
    weeks = bars_of(history, MAOTAI, period="weekly", adjustment="none")
    assert weeks["date"].to_list() == [DAYS[4], DAYS[8], DAYS[9]]
    assert weeks["open"].to_list() == [10.0, 6.0, 6.6]
    assert weeks["close"].to_list() == [12.0, 6.6, 7.0]
    assert weeks["high"].to_list() == [12.0, 6.6, 7.0]
    assert weeks["volume"].to_list() == [5_000_000, 4_000_000, 1_000_000]
    months = bars_of(history, MAOTAI, period="monthly", adjustment="none")
    assert months["date"].to_list() == [DAYS[8], DAYS[9]]


def test_an_ex_dividend_day_is_marked_at_its_bar_of_each_period(history: Lake) -> None:
    daily = chart_of(history, MAOTAI, indicators=["MA"]).to_json()
    assert [(mark["date"], mark["kind"]) for mark in daily["marks"]] == [(f"{DAYS[5]}", "ex")]
    assert daily["indicators"]["MA"]["overlay"] is True
    assert daily["indicators"]["MA"]["columns"]["ma5"][:5] == [None] * 4 + [pytest.approx(5.6)]
    weekly = chart_of(history, MAOTAI, period="weekly", indicators=["MA"]).to_json()
    assert [mark["date"] for mark in weekly["marks"]] == [f"{DAYS[8]}"]


def test_a_line_that_depends_on_later_days_is_marked(history: Lake) -> None:
    drawn = chart_of(history, MAOTAI, indicators=["MA"], formula="A:MA(C,2);B:REFX(C,1);D:B+A;").to_json()
    assert drawn["indicators"]["公式"]["looks_ahead"] == ["b", "d"]
    assert drawn["indicators"]["MA"]["looks_ahead"] == []


def test_a_day_without_trade_is_not_drawn(history: Lake) -> None:
    paused = bar("600519.SH", date(2026, 11, 3), 7.0, 7.0, suspended=True)
    history.replace_days("daily_bars", pl.DataFrame([paused], schema=DAILY_BARS.dtypes), [date(2026, 11, 3)])
    assert bars_of(history, MAOTAI)["date"].to_list() == DAYS


def test_an_empty_lake_draws_nothing_and_says_so_in_numbers(tmp_path: Path) -> None:
    drawn = chart_of(Lake(str(tmp_path / "lake")), MAOTAI).to_json()
    assert drawn["dates"] == []
    assert drawn["indicators"] == {}
