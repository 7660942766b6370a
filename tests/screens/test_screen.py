"""A screen of the market: who passes, with which values, from which bars, and what is said about the others."""

from datetime import date

import MyTT
import numpy as np
import polars as pl
import pytest
from screens.conftest import DAYS, EX_DAY, LONG_PAUSE, UNKNOWN

from mystocks_dagster.errors import InvalidParams, TableMissing
from mystocks_dagster.market.formulas.problems import FormulaError
from mystocks_dagster.screens.screen import screen

pytestmark = pytest.mark.slow

MACD = "DIF:=EMA(C,12)-EMA(C,26); DEA:=EMA(DIF,9); DIF>-1000 AND DEA>-1000"


def values(result, symbol):
    return result.rows.filter(symbol=symbol).row(0, named=True)


def test_the_values_that_made_a_symbol_pass_are_those_of_a_chart_on_that_day(stored, traded):
    result = screen(stored, "C>0 AND MA(C,5)<2*MA(C,60) AND V>=LLV(V,3)")
    assert (result.day, result.screened) == (DAYS[-1], 3)
    moutai = traded("600519.SH")
    row = values(result, "600519.SH")
    assert row["close"] == row["CLOSE"] == pytest.approx(moutai["close"][-1])
    assert row["MA(CLOSE,5)"] == pytest.approx(moutai["close"][-5:].mean())
    assert row["2*MA(CLOSE,60)"] == pytest.approx(2 * moutai["close"][-60:].mean())
    assert row["VOL"] == moutai["volume"][-1]
    assert row["LLV(VOL,3)"] == moutai["volume"][-3:].min()


def test_prices_before_an_ex_day_are_forward_adjusted_so_that_no_crossing_is_made_up(stored, market):
    assert "600519.SH" not in screen(stored, "C<0.6*REF(C,1)", day=DAYS[EX_DAY]).rows["symbol"]
    raw = market.filter(symbol="600519.SH").sort("date")["close"].to_numpy()
    assert raw[EX_DAY] < 0.6 * raw[EX_DAY - 1]


@pytest.mark.parametrize("symbol", ["600519.SH", "000001.SZ", "300750.SZ"])
def test_a_tail_of_the_history_gives_what_the_whole_one_gives(stored, traded, symbol):
    result = screen(stored, MACD)
    assert result.reach == 389 + 135
    row, close = values(result, symbol), traded(symbol)["close"]
    dif = MyTT.EMA(close, 12) - MyTT.EMA(close, 26)
    assert row["DIF"] == pytest.approx(dif[-1], rel=1e-9, abs=1e-9)
    assert row["DEA"] == pytest.approx(MyTT.EMA(dif, 9)[-1], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "X:=EMA(C/IF(RARE,1,0),12); X>0",
        "X:=SMA(IF(RARE,C,DRAWNULL),12,1); X>0",
        "A:=EMA(C,12); X:=EMA(A/IF(RARE,1,0),5); X>0",
    ],
)
def test_an_average_over_days_without_a_value_is_that_of_the_whole_history(stored, text):
    # A sixth of the days, and the last one: on it there must be a value to compare.
    last = (DAYS[-1].year - 1900) * 10_000 + DAYS[-1].month * 100 + DAYS[-1].day
    text = f"RARE:=C>1.03*REF(C,1) OR DATE={last}; {text}"
    short, whole = screen(stored, text), screen(stored, f"{text} AND SUM(V,0)>0")
    assert short.rows["symbol"].to_list() == whole.rows["symbol"].to_list() != []
    assert short.rows["X"].to_list() == pytest.approx(whole.rows["X"].to_list(), rel=1e-9)


def test_only_the_bars_that_the_formula_reaches_are_read(stored):
    short, long, whole = (screen(stored, text).bars for text in ("C>MA(C,5)", "C>MA(C,250)", "SUM(V,0)>0"))
    # Of five symbols: about 25 days, then those of a year; a suspension or listing reads more of its symbol only.
    assert short < 5 * 30 < long < 5 * 400 < whole
    assert "all of it counts in SUM." in screen(stored, "SUM(V,0)>0").notes[-1]


def test_a_long_suspension_is_filled_from_older_bars(stored, traded):
    row = values(screen(stored, "MA(C,60)>0"), "000001.SZ")
    assert len(LONG_PAUSE) > 60
    assert row["MA(CLOSE,60)"] == pytest.approx(traded("000001.SZ")["close"][-60:].mean())


def test_who_has_no_bar_on_the_day_is_not_screened_and_who_is_too_young_lacks_values(stored):
    result = screen(stored, "MA(C,60)>0")
    assert "920001.BJ" not in result.rows["symbol"]
    assert "300750.SZ" not in result.rows["symbol"]
    assert (result.screened, result.without_values) == (3, 1)
    assert "920001.BJ" in screen(stored, "MA(C,60)>0", day=DAYS[-2]).rows["symbol"]
    for period in ("weekly", "monthly"):
        assert "920001.BJ" not in screen(stored, "C>0", period=period).rows["symbol"]


def test_a_symbol_with_an_unknown_ratio_among_the_needed_bars_is_named_and_left_out(stored):
    result = screen(stored, "MA(C,60)>0")
    assert result.doubtful == {"688981.SH": DAYS[UNKNOWN]}
    assert f"688981.SH ({DAYS[UNKNOWN]})" in result.notes[0]
    assert screen(stored, "MA(C,5)>0").doubtful == {}
    assert screen(stored, "MA(C,60)>0", day=DAYS[UNKNOWN - 1]).doubtful == {}


def test_no_later_day_is_seen(stored, market, empty, tmp_path):
    day = DAYS[EX_DAY + 5]
    empty.replace_all("daily_bars", market.filter(pl.col("date") <= day))
    events = stored.read("adjust_events").filter(pl.col("date") <= day)
    empty.replace_all("adjust_events", events)
    text = "CROSS(MA(C,5),MA(C,20)) OR C>O"
    assert screen(stored, text, day=day).rows.equals(screen(empty, text).rows)


@pytest.mark.parametrize(("period", "truncated"), [("weekly", "1w"), ("monthly", "1mo")])
def test_bars_of_weeks_and_months(stored, market, period, truncated):
    rows = market.filter(symbol="300750.SZ").sort("date").group_by_dynamic("date", every=truncated)
    expected = rows.agg(pl.col("high").max(), pl.col("volume").sum())
    row = values(screen(stored, "H>0 AND V>0 AND REF(H,1)>0", period=period), "300750.SZ")
    assert row["HIGH"] == expected["high"][-1]
    assert row["REF(HIGH,1)"] == expected["high"][-2]
    assert row["VOL"] == expected["volume"][-1]


def test_the_names_come_from_the_stock_list_and_the_limit_counts_symbols(stored):
    result = screen(stored, "C>0", limit=2)
    assert (result.rows.height, result.passed) == (2, 4)
    assert result.rows["name"].to_list() == [None, None]
    shown = result.to_json()
    assert shown["symbols"][0]["values"] == {"CLOSE": shown["symbols"][0]["close"]}


def test_an_empty_lake_and_a_day_without_bars_are_said(stored, empty):
    with pytest.raises(TableMissing, match="mystocks bootstrap"):
        screen(empty, "C>0")
    with pytest.raises(InvalidParams, match=f"2025-04-05.*{DAYS[-1]}"):
        screen(stored, "C>0", day=date(2025, 4, 5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ZIG(3,5)>REF(ZIG(3,5),1)", "looks ahead"),
        ("A:C; B:O;", "second output"),
        ("C>MA(C,", "1:8"),
        ("CROS(C,O)", "CROSS"),
        ("", "output"),
    ],
)
def test_what_cannot_be_a_screen_is_refused_with_its_place(stored, text, message):
    with pytest.raises(FormulaError, match=message):
        screen(stored, text)


def test_parameters_and_the_bound_of_work(stored, traded):
    row = values(screen(stored, "MA(C,N)>0", parameters={"n": 7}), "600519.SH")
    assert row["MA(CLOSE,N)"] == pytest.approx(traded("600519.SH")["close"][-7:].mean())
    with pytest.raises(InvalidParams, match="at most 3"):
        screen(stored, "MA(C,5)>MA(C,6) AND MA(C,7)>MA(C,8)", most_series=3)


def test_a_value_that_does_not_exist_is_null_and_no_false_pass(stored):
    row = values(screen(stored, "C>0 OR MA(C,500)>0"), "300750.SZ")
    assert row["MA(CLOSE,500)"] is None
    assert np.isfinite(row["CLOSE"])
