"""Screens as a task: which rows it stores, and which it leaves alone."""

import json

import polars as pl
import pytest
from pydantic import ValidationError

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS
from mystocks_dagster.tasks.screening import ScreenParams, screen_market

pytestmark = pytest.mark.slow

RISING = {"name": "RISING", "formula": "C>REF(C,1)"}


@pytest.fixture
def market(lake, random_walk):
    bars = pl.concat([random_walk("600519.SH", 1), random_walk("000001.SZ", 2), random_walk("300750.SZ", 3)])
    lake.replace_all("daily_bars", bars)
    lake.replace_all("adjust_events", ADJUST_EVENTS.empty())
    return bars


def run_screens(run, *screens, **params):
    return screen_market(ScreenParams.model_validate({"screens": screens, **params}), run)


def stored(lake, name):
    return lake.read("screens").filter(screen=name).sort("date", "symbol")


def test_who_passed_is_stored_with_the_values(computing, lake, market, weekdays):
    result = run_screens(computing, RISING)
    last = market.filter(pl.col("date").is_in(weekdays[-2:])).sort("symbol", "date")
    expected = last.group_by("symbol", maintain_order=True).agg("close").filter(
        pl.col("close").list.get(1) > pl.col("close").list.get(0)
    )  # fmt: skip
    rows = stored(lake, "RISING")
    assert rows["symbol"].to_list() == expected["symbol"].to_list()
    assert result.rows == {"screens": rows.height, "screen_runs": 1}
    assert [json.loads(text) for text in rows["values"]] == [
        {"CLOSE": today, "REF(CLOSE,1)": before} for before, today in expected["close"]
    ]
    assert rows["date"].unique().to_list() == [weekdays[-1]]


def test_the_same_screen_is_replaced_and_other_screens_and_days_stay(computing, lake, market, weekdays):
    run_screens(computing, RISING, {"name": "ALL", "formula": "C>0"}, day=weekdays[-2])
    run_screens(computing, RISING, {"name": "ALL", "formula": "C>0"})
    before = stored(lake, "RISING")
    run_screens(computing, {"name": "ALL", "formula": "C>100000"})
    assert stored(lake, "RISING").equals(before)
    assert stored(lake, "ALL")["date"].unique().to_list() == [weekdays[-2]]


def test_a_screen_with_a_window_that_is_longer_than_the_history_says_so(computing, lake, market):
    wide = {"name": "WIDE", "formula": "C>MA(C,250)"}
    result = run_screens(computing, wide, RISING, {"name": "WEEKS", "formula": "C>MA(C,60)", "period": "weekly"})
    assert result.status == "success"
    assert "WIDE has a value of no symbol: most often the stored bars are fewer than its windows." in result.message
    assert "WEEKS has a value of no symbol" in result.message  # 150 weekdays are 30 weeks
    assert "RISING has a value of no" not in result.message


def test_a_screen_that_nobody_passed_differs_from_one_that_did_not_run(computing, lake, market, weekdays):
    nobody = {"name": "NOBODY", "formula": "C>100000"}
    run_screens(computing, nobody, RISING)
    rising = stored(lake, "RISING").height
    runs = lake.read("screen_runs", columns=["screen", "date", "passed", "screened", "formula"]).sort("screen")
    assert runs.rows() == [
        ("NOBODY", weekdays[-1], 0, 3, "C>100000"),
        ("RISING", weekdays[-1], rising, 3, "C>REF(C,1)"),
    ]
    run_screens(computing, nobody, day=weekdays[-2])
    assert lake.read("screen_runs").filter(screen="RISING")["date"].to_list() == [weekdays[-1]]


def test_two_tasks_that_screen_at_once_lose_no_row(computing, lake, market, monkeypatch):
    write = Lake.replace_days

    def late(*arguments, **named):
        monkeypatch.setattr(Lake, "replace_days", write)
        run_screens(computing, RISING)
        return write(*arguments, **named)

    monkeypatch.setattr(Lake, "replace_days", late)
    run_screens(computing, {"name": "ALL", "formula": "C>0"})
    assert stored(lake, "ALL").height == 3
    assert stored(lake, "RISING").height > 0


def test_a_doubtful_symbol_makes_the_result_partial(computing, lake, market, weekdays):
    event = pl.DataFrame([("600519.SH", weekdays[-3], None)], schema=ADJUST_EVENTS.dtypes, orient="row")
    lake.replace_all("adjust_events", event)
    result = run_screens(computing, {"name": "ALL", "formula": "MA(C,20)>0"})
    assert (result.status, result.failed_items) == ("partial_success", ("600519.SH",))
    assert str(weekdays[-3]) in result.message


@pytest.mark.parametrize(
    ("screens", "place", "words"),
    [
        ([RISING, RISING], ("screens", 1, "name"), "two screens are named RISING"),
        ([{"name": "X", "formula": "REFX(C,1)>C"}], ("screens", 0, "formula"), "looks ahead"),
        ([{"name": "X", "formula": "C>"}], ("screens", 0, "formula"), "line 1, column 3"),
        ([{"name": "X"}], ("screens", 0), "either formula or file"),
        ([{"name": "X", "file": "../secret.txt"}], ("screens", 0, "file"), "formulas/"),
        ([], ("screens",), "at least 1"),
    ],
)
def test_a_fault_is_found_when_the_file_is_read(screens, place, words):
    with pytest.raises(ValidationError) as error:
        ScreenParams.model_validate({"screens": screens})
    detail = error.value.errors()[0]
    assert detail["loc"] == place
    assert words in detail["msg"]


def test_a_day_within_a_screen_is_told_to_stand_beside_the_screens():
    with pytest.raises(ValidationError) as caught:
        ScreenParams(screens=[{"name": "A", "formula": "C>O", "day": "2026-11-30"}])
    (error,) = caught.value.errors()
    assert error["loc"] == ("screens", 0, "day")
    assert error["msg"] == "day is of all screens of the task"
    assert error["ctx"]["hint"] == "Write it one level up, beside screens."
