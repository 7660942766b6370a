"""Every published version of a row is kept, with the day since which it has been known."""

from datetime import date

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.lake.versions import upsert_versions
from mystocks_dagster.market.tables.fundamentals import INCOME_STATEMENTS

HALF_YEAR, NOTICE = date(2024, 6, 30), date(2024, 8, 20)
LOAD, LATER = date(2024, 9, 2), date(2025, 1, 6)


def load(lake: Lake, on: date, revenue: float | None, notice: date | None = NOTICE) -> list[tuple]:
    row = {
        "symbol": "600000.SH", "period": HALF_YEAR, "notice_date": notice, "known_since": notice, "revenue": revenue
    }  # fmt: skip
    assert upsert_versions(lake, "income_statements", pl.DataFrame([row], schema=INCOME_STATEMENTS.dtypes), on) == 1
    stored = lake.read("income_statements", columns=["notice_date", "known_since", "revenue"])
    return stored.sort("known_since", "notice_date").rows()


def test_a_statement_is_known_from_its_notice_on_however_late_it_is_loaded(lake):
    assert load(lake, LOAD, 100.0) == [(NOTICE, NOTICE, 100.0)]
    assert load(lake, LATER, 100.0) == [(NOTICE, NOTICE, 100.0)]


def test_other_numbers_under_the_same_notice_are_a_version_known_from_the_load_on(lake):
    load(lake, LOAD, 100.0)
    assert load(lake, LATER, 90.0) == [(NOTICE, NOTICE, 100.0), (NOTICE, LATER, 90.0)]
    assert load(lake, LATER, 91.0) == [(NOTICE, NOTICE, 100.0), (NOTICE, LATER, 91.0)], "one version a day"
    assert load(lake, date(2025, 1, 7), 91.0)[-1] == (NOTICE, LATER, 91.0)
    assert lake.read("income_statements", as_of=LOAD)["revenue"].to_list() == [100.0]


def test_a_statement_without_a_notice_is_known_from_the_load_on(lake):
    assert load(lake, LOAD, 100.0, notice=None) == [(None, LOAD, 100.0)]
    assert load(lake, LATER, 100.0, notice=None) == [(None, LOAD, 100.0)]
    assert load(lake, LATER, 90.0, notice=None) == [(None, LOAD, 100.0), (None, LATER, 90.0)]
    assert lake.read("income_statements", as_of=NOTICE).is_empty()


def test_an_earlier_version_that_is_loaded_later_keeps_its_own_day(lake):
    load(lake, LOAD, 90.0, notice=date(2024, 8, 30))
    assert load(lake, LATER, 100.0) == [(NOTICE, NOTICE, 100.0), (date(2024, 8, 30), date(2024, 8, 30), 90.0)]
    assert lake.read("income_statements", as_of=date(2024, 8, 25))["revenue"].to_list() == [100.0]


def test_a_lake_of_an_older_version_keeps_its_rows_and_learns_the_corrections(lake):
    old = pl.DataFrame(
        [{"symbol": "600000.SH", "period": HALF_YEAR, "notice_date": NOTICE, "revenue": 100.0}],
        schema=INCOME_STATEMENTS.dtypes,
    )
    lake.upsert("income_statements", old)
    assert lake.read("income_statements", as_of=NOTICE)["revenue"].to_list() == [100.0]
    assert load(lake, LOAD, 100.0) == [(NOTICE, None, 100.0)], "the same numbers are no second version"
    assert load(lake, LATER, 90.0) == [(NOTICE, None, 100.0), (NOTICE, LATER, 90.0)]
    assert lake.read("income_statements", as_of=LOAD)["revenue"].to_list() == [100.0]
    assert lake.read("income_statements", as_of=LATER)["revenue"].to_list() == [90.0]


def test_a_value_that_becomes_known_is_a_version_too(lake):
    load(lake, LOAD, None)
    assert load(lake, LATER, 90.0) == [(NOTICE, NOTICE, None), (NOTICE, LATER, 90.0)]
