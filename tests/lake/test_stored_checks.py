"""The checks of stored rows: which questions a table asks, what its rows answer, and how far back it looks."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import VALUE_RULES, check_descriptions, stored_checks
from mystocks_dagster.market.table import Rule
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

JAN2 = date(2024, 1, 2)


def test_a_table_asks_each_of_its_check_rules_and_all_others_together():
    assert list(check_descriptions(ADJUST_EVENTS)) == ["ratio_unknown", VALUE_RULES]
    assert list(check_descriptions(DAILY_BARS)) == [VALUE_RULES]
    assert list(check_descriptions(TABLES["loaded_days"])) == ["day_incomplete"]
    assert check_descriptions(TABLES["signals"]) == {}


def test_rows_that_obey_pass_and_rows_that_do_not_are_counted_with_an_example(lake: Lake):
    events = {"symbol": ["600000.SH", "600519.SH"], "date": [JAN2, JAN2], "ratio": [0.98, None]}
    lake.upsert("adjust_events", pl.DataFrame(events))
    unknown, rules = stored_checks(lake, ADJUST_EVENTS)
    assert (unknown.name, unknown.rows, unknown.failing) == ("ratio_unknown", 2, 1)
    assert unknown.description.startswith("1 of 2 rows fail. ratio_unknown: the ratio is unknown")
    assert unknown.description.endswith("e.g. symbol=600519.SH, date=2024-01-02")
    assert (rules.name, rules.failing, rules.description) == (VALUE_RULES, 0, "All 2 rows pass.")


def test_rows_that_an_older_version_stored_are_held_against_todays_rules(lake: Lake, make_bars):
    lake.replace_days("daily_bars", make_bars(JAN2), [JAN2])
    strict = Rule("too_dear", "the close is above 1", lambda: pl.col("close") > 1)
    (checked,) = stored_checks(lake, replace(DAILY_BARS, rules=(strict,)))
    assert checked.failing == checked.rows > 0
    assert "too_dear: the close is above 1" in checked.description


def test_a_large_table_is_read_for_its_newest_days_only(lake: Lake, make_bars):
    days = [JAN2, JAN2 + timedelta(days=31), JAN2 + timedelta(days=61)]
    for day in days:
        lake.replace_days("daily_bars", make_bars(day), [day])
    assert DAILY_BARS.check_days == 30
    (newest,) = stored_checks(lake, DAILY_BARS)
    (everything,) = stored_checks(lake, replace(DAILY_BARS, check_days=None))
    assert everything.rows * 2 == newest.rows * 3


def test_a_table_without_rows_passes_and_one_that_is_missing_says_so(lake: Lake, make_bars):
    with pytest.raises(TableMissing):
        list(stored_checks(lake, DAILY_BARS))
    lake.replace_days("daily_bars", make_bars(JAN2), [JAN2])
    lake.replace_days("daily_bars", DAILY_BARS.empty(), [JAN2])
    (checked,) = stored_checks(lake, DAILY_BARS)
    assert (checked.rows, checked.failing, checked.description) == (0, 0, "All 0 rows pass.")
