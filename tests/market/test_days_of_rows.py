"""The days of a market's rows: which there are, how often, and which rows are of given days."""

from datetime import date

import polars as pl

from mystocks_dagster.market.days_of_rows import are_among, distinct_days, rows_by_day

MONDAY, TUESDAY, WEDNESDAY = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
ROWS = pl.Series([WEDNESDAY, MONDAY, WEDNESDAY, WEDNESDAY])


def test_the_days_of_rows_in_any_order_ascend_with_their_numbers_of_rows():
    assert list(rows_by_day(ROWS).items()) == [(MONDAY, 1), (WEDNESDAY, 3)]
    assert distinct_days(ROWS) == [MONDAY, WEDNESDAY]


def test_the_rows_of_some_days_are_found_and_days_beyond_the_rows_do_no_harm():
    assert are_among(ROWS, [date(1990, 12, 19), MONDAY, TUESDAY, date(2099, 1, 1)]).to_list() == [
        False, True, False, False,
    ]  # fmt: skip
    assert are_among(ROWS, []).to_list() == [False] * 4


def test_a_row_without_a_day_is_of_no_day():
    rows = pl.Series([None, MONDAY, None], dtype=pl.Date)
    assert rows_by_day(rows) == {MONDAY: 1}
    assert are_among(rows, [MONDAY]).to_list() == [False, True, False]


def test_without_rows_there_are_no_days():
    none = pl.Series([], dtype=pl.Date)
    assert (rows_by_day(none), distinct_days(none), are_among(none, [MONDAY]).to_list()) == ({}, [], [])
