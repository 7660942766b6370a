"""Which days of which tables are there: from the records of loads, the quarantine and the calendar alone."""

import json
from datetime import date, datetime

import polars as pl
import pytest

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.lake import quarantine
from mystocks_dagster.lake.coverage import coverage, gaps, heat_map, never_loaded
from mystocks_dagster.lake.loads import record_days
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.market.value_rules import Fault

pytestmark = pytest.mark.slow

EVENING = datetime(2026, 10, 16, 18, 0, tzinfo=SHANGHAI)  # a Friday; 1 to 7 October is a holiday


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def load(lake: Lake, make_bars, table: str, *days: str, **fields) -> None:
    lake.replace_days(table, make_bars(day(days[0])), [day(days[0])]) if table == "daily_bars" else None
    record_days(lake, table, {day(text): 3 for text in days}, source="test", **fields)


def fault(text: str, rule: str = "high_below_low") -> Fault:
    return Fault(rule, "broken", f"600000.SH 2026-{text}", day(text), {"symbol": "600000.SH", "date": text})


@pytest.fixture
def filled(lake: Lake, make_bars) -> Lake:
    """Bars of seven sessions around a holiday, each in another state."""
    load(lake, make_bars, "daily_bars", "09-29", "09-30", "10-08", "10-14", "10-15")
    load(lake, make_bars, "daily_bars", "10-09", incomplete=[day("10-09")])
    load(lake, make_bars, "daily_bars", "10-12", lacking=[day("10-12")])
    aside = [fault("10-12"), fault("10-13"), fault("10-14", "impossible_turnover")]
    quarantine.replace_days(lake, "daily_bars", aside, [day("10-12"), day("10-13"), day("10-14")], "test")
    return lake


def states(frame: pl.DataFrame) -> dict[str, str]:
    return {f"{row['date']:%m-%d}": row["status"] for row in frame.iter_rows(named=True)}


def test_each_trading_day_since_the_first_loaded_one_has_one_state(filled: Lake):
    assert states(coverage(filled, ["daily_bars"], moment=EVENING)) == {
        "09-29": "complete",
        "09-30": "complete",
        "10-08": "complete",
        "10-09": "partial",  # and no day of the holiday is missing
        "10-12": "quarantined",  # its row is set aside
        "10-13": "quarantined",  # refused as a whole
        "10-14": "complete",  # one value is unknown, and the row is stored
        "10-15": "complete",
        "10-16": "missing",
    }


@pytest.mark.parametrize(("moment", "state"), [("15:29", "not_published"), ("15:30", "missing")])
def test_the_newest_day_is_missing_only_once_it_is_published(filled: Lake, moment: str, state: str):
    at = datetime.fromisoformat(f"2026-10-16T{moment}").replace(tzinfo=SHANGHAI)
    assert states(coverage(filled, ["daily_bars"], moment=at))["10-16"] == state


def test_a_task_may_know_another_time_of_publication_than_the_table(filled: Lake):
    later = {"daily_bars": Publication.parse("18:30")}
    assert states(coverage(filled, ["daily_bars"], published=later, moment=EVENING))["10-16"] == "not_published"
    next_day = {"daily_bars": Publication.parse("+1 09:00")}
    found = states(coverage(filled, ["daily_bars"], published=next_day, moment=EVENING))
    assert (found["10-15"], found["10-16"]) == ("complete", "not_published")


def test_a_window_may_reach_before_the_first_loaded_day(filled: Lake):
    window = coverage(filled, ["daily_bars"], start=day("09-28"), end=day("09-29"), moment=EVENING)
    assert states(window) == {"09-28": "missing", "09-29": "complete"}


def test_gaps_are_stretches_of_trading_days_with_their_rows(filled: Lake):
    frame = coverage(filled, ["daily_bars"], moment=EVENING)
    assert [
        (gap.status, f"{gap.first:%m-%d}", f"{gap.last:%m-%d}", gap.days, gap.set_aside) for gap in gaps(frame)
    ] == [
        ("partial", "10-09", "10-09", 1, 0),
        ("quarantined", "10-12", "10-13", 2, 2),
        ("missing", "10-16", "10-16", 1, 0),
    ]
    # The source of 12 October was asked twice and has no more rows; that of the 9th was interrupted.
    exhausted = frame.filter("exhausted").select("date", "source").rows()
    assert exhausted == [(day("10-12"), "test")]


def test_a_holiday_does_not_divide_a_stretch(lake: Lake, make_bars):
    load(lake, make_bars, "daily_bars", "09-29", "10-12")
    frame = coverage(lake, ["daily_bars"], end=day("10-12"), moment=EVENING)
    (gap,) = gaps(frame)
    assert (gap.first, gap.last, gap.days) == (day("09-30"), day("10-09"), 3)


def test_a_heat_map_has_a_letter_for_each_day_and_table(filled: Lake):
    days, tables = heat_map(coverage(filled, ["daily_bars", "longhubang"], moment=EVENING))
    assert (days[0], days[-1], len(days)) == (day("09-29"), day("10-16"), 9)
    assert tables == {"daily_bars": "cccpqqccm"}
    json.dumps(tables)


def test_a_table_that_was_never_loaded_has_no_gaps_and_is_named(filled: Lake):
    frame = coverage(filled, moment=EVENING)
    assert set(frame["table"]) == {"daily_bars"}
    assert "longhubang" in never_loaded(filled, frame, ["daily_bars", "longhubang"])


def test_the_days_of_a_table_that_was_deleted_do_not_count(filled: Lake):
    import shutil

    shutil.rmtree(f"{filled.location}/daily_bars")
    assert coverage(filled, ["daily_bars"], moment=EVENING).is_empty()


@pytest.mark.parametrize("name", ["stocks", "indicators_daily", "bars"])
def test_a_table_without_loaded_days_is_refused(lake: Lake, name: str):
    with pytest.raises(UnknownName, match=r"not loaded by trading day|There is no table"):
        coverage(lake, [name])


def test_after_the_calendars_end_only_the_newest_published_weekday_is_missing(lake: Lake, make_bars):
    lake.replace_days("daily_bars", make_bars(day("12-30")), [day("12-30")])
    record_days(lake, "daily_bars", {day("12-30"): 3, day("12-31"): 3}, source="test")
    frame = coverage(lake, ["daily_bars"], moment=datetime(2027, 1, 6, 18, 0, tzinfo=SHANGHAI))
    assert [(row["date"], row["status"]) for row in frame.iter_rows(named=True)] == [
        (day("12-30"), "complete"),
        (day("12-31"), "complete"),
        (date(2027, 1, 6), "missing"),
    ]
