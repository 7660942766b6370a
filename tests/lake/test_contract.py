"""What does not obey its contract is refused, and the message shows where."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from mystocks_dagster.errors import ContractBroken
from mystocks_dagster.lake.contract import conform
from mystocks_dagster.market.tables.market import DAILY_BARS
from mystocks_dagster.market.tables.reference import STOCKS

DAY = date(2025, 1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("close", "open"), r"daily_bars: missing column open, close; its columns are symbol, date"),
        (lambda f: f.with_columns(extra=1), r"daily_bars: unknown column extra"),
        (lambda f: f.with_columns(close=None), r"daily_bars\.close: 3 of 3 values are null.*symbol=600000\.SH"),
        (lambda f: f.with_columns(close=pl.lit("10.0")), r"\.close: has type String instead of Float64 \(CNY"),
        (lambda f: f.with_columns(close=pl.lit(float("inf"))), r"\.close: a value is not a finite number.*close=inf"),
        (lambda f: f.with_columns(turnover=pl.lit(float("nan"))), r"\.turnover: a value is not a finite number"),
        (lambda f: f.with_columns(volume=pl.lit(1.5)), r"\.volume: a value does not fit Int64, e\.g\. .*volume=1\.5"),
        (lambda f: f.with_columns(volume=pl.lit(2**63, dtype=pl.UInt64)), r"daily_bars\.volume: a value does not fit"),
        (lambda f: f.with_columns(amount=pl.lit(2**53 + 1)), r"daily_bars\.amount: a value does not fit Float64"),
        (lambda f: f.with_columns(date=pl.lit("2025-01-02")), r"daily_bars\.date: has type String instead of Date"),
        (lambda f: f.with_columns(date=pl.lit(datetime(2025, 1, 2))), r"daily_bars\.date: has type Datetime"),  # noqa: DTZ001
        (lambda f: f.with_columns(suspended=pl.lit(0)), r"daily_bars\.suspended: has type Int32 instead of Boolean"),
        (
            lambda f: f.with_columns(symbol=pl.lit("600000.SH")),
            r"3 rows have a duplicate key \(symbol, date\), e\.g\. symbol=600000\.SH",
        ),
    ],
)  # fmt: skip
def test_a_broken_frame_is_refused_with_table_column_and_an_example(make_bars, change, message):
    with pytest.raises(ContractBroken, match=message):
        conform(DAILY_BARS, change(make_bars(DAY)))


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.select(reversed(f.columns)),
        lambda f: f.with_columns(
            pl.col("volume").cast(pl.Float64), pl.col("close").cast(pl.Float32), pl.col("amount").cast(pl.Int32)
        ),
        lambda f: f.with_columns(pl.col("symbol").cast(pl.Categorical)),
    ],
    ids=["other order", "other numbers", "categories"],
)
def test_what_loses_nothing_is_brought_into_the_contracts_form(make_bars, change):
    assert conform(DAILY_BARS, change(make_bars(DAY))).equals(make_bars(DAY))


def test_a_column_of_nothing_may_stand_for_one_that_may_be_null(make_bars):
    frame = conform(DAILY_BARS, make_bars(DAY).with_columns(turnover=None))
    assert frame["turnover"].to_list() == [None] * 3
    assert frame.schema["turnover"] == pl.Float64


def test_a_moment_without_time_zone_is_refused_and_any_zone_is_accepted():
    row = {
        "symbol": "600000.SH",
        "name": "x",
        "exchange": "SH",
        "board": "main",
        "is_st": False,
        "list_date": None,
        "delist_date": None,
    }
    with pytest.raises(ContractBroken, match=r"stocks\.updated_at: has type Datetime"):
        conform(STOCKS, pl.DataFrame([row | {"updated_at": datetime(2025, 1, 2)}]))  # noqa: DTZ001
    moment = datetime(2025, 1, 2, 8, tzinfo=UTC)
    assert conform(STOCKS, pl.DataFrame([row | {"updated_at": moment}]))["updated_at"][0] == moment


def test_years_laid_end_to_end_are_accepted_and_a_row_that_stands_in_two_of_them_is_refused(make_bars):
    years = [pl.concat([make_bars(date(year, 1, day)) for day in (2, 3)]).sort("symbol") for year in (2023, 2024)]
    assert conform(DAILY_BARS, pl.concat(years)).height == 12
    again = [*years, years[0].tail(1)]
    with pytest.raises(ContractBroken, match=r"2 rows have a duplicate key \(symbol, date\).*600002\.SH.*2023-01-03"):
        conform(DAILY_BARS, pl.concat(again))
    mixed = pl.concat([years[1], years[0], years[1].head(1).with_columns(symbol=pl.lit("600009.SH"))])
    assert conform(DAILY_BARS, mixed).height == 13


def test_prices_whose_sum_is_too_large_for_a_number_are_finite(make_bars):
    assert conform(DAILY_BARS, make_bars(DAY).with_columns(amount=pl.lit(1e308)))["amount"].to_list() == [1e308] * 3
