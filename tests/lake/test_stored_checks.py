"""The checks of stored rows: which questions a table asks, what its rows answer, and how far back it looks."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from mystocks_dagster.errors import TableMissing
from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.stored_checks import VALUE_RULES, StoredCheck, check_declarations, stored_checks
from mystocks_dagster.market.table import Rule, Table
from mystocks_dagster.market.tables import TABLES
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import ADJUST_EVENTS

JAN2 = date(2024, 1, 2)


RULES = {"ratio_unknown", VALUE_RULES, "too_dear"}


def of_rules(lake: Lake, table: Table) -> list[StoredCheck]:
    return list(stored_checks(lake, table, only=RULES))


def names(table: str) -> list[str]:
    return [check.name for check in check_declarations(TABLES[table])]


def test_a_table_has_the_checks_of_its_contract_and_those_that_it_declares():
    assert names("adjust_events") == ["ratio_unknown", VALUE_RULES, "keys_unique", "required_values", "witnesses_agree"]
    assert names("signals") == ["keys_unique", "required_values", "inputs_unchanged"]
    loaded_by_day = ["keys_unique", "required_values", "newest_day", "no_missing_days", "rows_set_aside"]
    assert names("longhubang") == [VALUE_RULES, *loaded_by_day]
    declared = ["prev_close_explained", "row_count", "same_symbols", "listed_symbols"]
    assert names("daily_bars") == [VALUE_RULES, *loaded_by_day, "witnesses_agree", *declared]


def test_each_check_says_what_to_do_about_a_failure():
    for name, table in TABLES.items():
        for check in check_declarations(table, "my_task"):
            assert "mystocks " in check.description, (name, check.name)
            assert "{" not in check.description, (name, check.name)


def test_only_what_poisons_later_tables_blocks():
    blocking = {check.name for table in TABLES.values() for check in check_declarations(table) if check.blocking}
    assert blocking == {"keys_unique", "required_values", "prev_close_explained"}


def test_rows_that_obey_pass_and_rows_that_do_not_are_counted_with_an_example(lake: Lake):
    events = {"symbol": ["600000.SH", "600519.SH"], "date": [JAN2, JAN2], "ratio": [0.98, None]}
    lake.upsert("adjust_events", pl.DataFrame(events))
    unknown, rules = of_rules(lake, ADJUST_EVENTS)
    assert (unknown.name, unknown.rows, unknown.failing) == ("ratio_unknown", 2, 1)
    assert unknown.description.startswith("1 of 2 rows fail. ratio_unknown: the ratio is unknown")
    assert "e.g. symbol=600519.SH, date=2024-01-02. See" in unknown.description
    assert unknown.examples.rows(named=True) == [
        {"symbol": "600519.SH", "date": JAN2, "ratio": None, "rule": "ratio_unknown"}
    ]
    assert (rules.name, rules.failing, rules.description) == (VALUE_RULES, 0, "All 2 rows pass.")


def test_rows_that_an_older_version_stored_are_held_against_todays_rules(lake: Lake, make_bars):
    lake.replace_days("daily_bars", make_bars(JAN2), [JAN2])
    strict = Rule("too_dear", "the close is above 1", lambda: pl.col("close") > 1)
    (checked,) = of_rules(lake, replace(DAILY_BARS, rules=(strict,)))
    assert checked.failing == checked.rows > 0
    assert "too_dear: the close is above 1" in checked.description


def test_a_large_table_is_read_for_its_newest_days_only(lake: Lake, make_bars):
    days = [JAN2, JAN2 + timedelta(days=31), JAN2 + timedelta(days=61)]
    for day in days:
        lake.replace_days("daily_bars", make_bars(day), [day])
    assert DAILY_BARS.check_days == 30
    (newest,) = of_rules(lake, DAILY_BARS)
    (everything,) = of_rules(lake, replace(DAILY_BARS, check_days=None))
    assert everything.rows * 2 == newest.rows * 3


def test_a_table_without_rows_passes_and_one_that_is_missing_says_so(lake: Lake, make_bars):
    with pytest.raises(TableMissing):
        of_rules(lake, DAILY_BARS)
    lake.replace_days("daily_bars", make_bars(JAN2), [JAN2])
    lake.replace_days("daily_bars", DAILY_BARS.empty(), [JAN2])
    assert {check.failing for check in stored_checks(lake, DAILY_BARS)} == {0}
