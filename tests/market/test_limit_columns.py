"""Limit prices as columns: published examples, and what is unknown."""

from datetime import date

import polars as pl

from mystocks_dagster.market.limit_columns import with_limits

DAY = date(2024, 5, 6)


def limits(symbol, prev_close, *, is_st=False, day=DAY, list_date=None):
    schema = {"symbol": pl.String, "date": pl.Date, "prev_close": pl.Float64, "is_st": pl.Boolean, "list_date": pl.Date}
    rows = pl.DataFrame([(symbol, day, prev_close, is_st, list_date)], schema=schema, orient="row")
    return with_limits(rows).select("limit_up", "limit_down").row(0)


def test_limits_are_rounded_as_the_exchanges_do():
    assert limits("600519.SH", 10.05) == (11.06, 9.05)  # 11.055 and 9.045, half a cent up
    assert limits("300750.SZ", 10.05) == (12.06, 8.04)
    assert limits("688981.SH", 10.0) == (12.0, 8.0)
    assert limits("830799.BJ", 10.0) == (13.0, 7.0)
    assert limits("600519.SH", 10.0, is_st=True) == (10.5, 9.5)
    assert limits("300750.SZ", 10.0, day=date(2020, 8, 21)) == (11.0, 9.0)


def test_an_unknown_limit_is_null():
    unknown = (None, None)
    assert limits("600519.SH", None) == unknown
    assert limits("600519.SH", 10.0, is_st=None) == unknown
    assert limits("300750.SZ", 10.0, is_st=None) == (12.0, 8.0)  # ST does not matter there
    assert limits("600519.SH", 10.0, list_date=date(2024, 4, 30)) == unknown
    assert limits("600519.SH", 10.0, list_date=date(2024, 4, 1)) == (11.0, 9.0)
    assert limits("510300.SH", 10.0) == unknown


def test_rows_keep_their_order_and_columns():
    rows = pl.DataFrame(
        {"symbol": ["688981.SH", "600519.SH"], "date": [DAY, DAY], "prev_close": [1.0, 2.0], "is_st": [False, False]}
    ).with_columns(list_date=pl.lit(None, pl.Date), other=pl.lit(7))
    assert with_limits(rows).drop("limit_up", "limit_down").equals(rows)
