"""Rows of two tables with the same symbol and day."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mystocks_dagster.lake.matching import matching_rows, with_columns_of

FIRST = date(2025, 1, 1)


def frame(pairs):
    keys = [(f"60000{symbol}.SH", FIRST + timedelta(days=day)) for symbol, day in pairs]
    schema = {"symbol": pl.String, "date": pl.Date}
    return pl.DataFrame(keys, schema=schema, orient="row").with_columns(value=pl.int_range(pl.len()) * 1.5)


def test_a_row_without_a_partner_gets_no_value():
    rows, others = frame([(1, 5), (1, 6), (2, 5)]), frame([(2, 5), (1, 6)])
    assert matching_rows(rows, others).to_list() == [None, 1, 0]
    assert with_columns_of(rows.drop("value"), others)["value"].to_list() == [None, 1.5, 0.0]


def test_nothing_matches_a_table_without_rows():
    assert matching_rows(frame([(1, 5)]), frame([])).to_list() == [None]
    assert matching_rows(frame([]), frame([(1, 5)])).to_list() == []


def test_symbols_may_be_an_enum_of_their_own():
    rows = frame([(1, 5), (3, 5)]).with_columns(pl.col("symbol").cast(pl.Enum(["600003.SH", "600001.SH"])))
    assert matching_rows(rows, frame([(1, 5), (2, 5)])).to_list() == [0, None]


pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=40)


@given(pairs, pairs.map(lambda items: [*dict.fromkeys(items)]))
def test_the_values_are_those_of_a_join(rows, others):
    left, right = frame(rows).drop("value"), frame(others)
    joined = left.join(right, on=["symbol", "date"], how="left", maintain_order="left")
    assert with_columns_of(left, right).equals(joined)
