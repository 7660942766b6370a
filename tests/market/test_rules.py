"""Price limits, lots and fees against published examples and against five years of real prices."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from mystocks_dagster.market.rules import (
    Fees,
    PriceLimit,
    buyable,
    days_without_limit,
    fees,
    limit_prices,
    price_limit,
    sellable,
    usual_limit,
)
from mystocks_dagster.market.symbols import board_of, normalise


@pytest.mark.parametrize(
    ("board", "day", "is_st", "percent"),
    [
        ("main", date(2010, 1, 4), False, 10),
        ("main", date(2025, 4, 7), False, 10),
        ("main", date(2026, 7, 3), True, 5),
        ("main", date(2026, 7, 6), True, 10),
        ("chinext", date(2020, 8, 21), False, 10),
        ("chinext", date(2020, 8, 24), False, 20),
        ("chinext", date(2021, 8, 24), True, 20),
        ("star", date(2019, 7, 29), False, 20),
        ("star", date(2024, 7, 29), True, 20),
        ("bse", date(2021, 11, 16), False, 30),
    ],
)
def test_each_board_has_its_limit_since_its_day(board, day, is_st, percent):
    assert usual_limit(board, day, is_st=is_st) == PriceLimit(percent, percent)
    assert price_limit(board, day, is_st=is_st) == PriceLimit(percent, percent)


@pytest.mark.parametrize(
    ("board", "listed", "free"),
    [
        ("main", date(2023, 4, 7), 0),
        ("main", date(2023, 4, 10), 5),
        ("chinext", date(2020, 8, 21), 0),
        ("chinext", date(2020, 8, 24), 5),
        ("star", date(2019, 7, 22), 5),
        ("bse", date(2021, 11, 15), 1),
    ],
)
def test_new_listings_are_free_for_some_days(board, listed, free):
    assert days_without_limit(board, listed) == free


def test_the_free_days_are_trading_days():
    # Listed on the Friday before the National Day holiday of 2024: the fifth day is 2024-10-10.
    listed = date(2024, 9, 27)
    days = [
        date(2024, 9, 27),
        date(2024, 9, 30),
        date(2024, 10, 8),
        date(2024, 10, 9),
        date(2024, 10, 10),
        date(2024, 10, 11),
    ]

    limits = [price_limit("main", day, list_date=listed) for day in days]

    assert limits == [None] * 5 + [PriceLimit(10, 10)]


def test_before_the_reform_the_first_day_went_up_44_and_down_36_percent():
    assert price_limit("main", date(2023, 3, 1), list_date=date(2023, 3, 1)) == PriceLimit(44, 36)
    assert price_limit("main", date(2023, 3, 2), list_date=date(2023, 3, 1)) == PriceLimit(10, 10)


@pytest.mark.parametrize(
    ("close", "percent", "lowest", "highest"),
    [
        (10.0, 10, 9.0, 11.0),
        (8.84, 10, 7.96, 9.72),
        (4.55, 10, 4.1, 5.01),  # 4.095 and 5.005: half a cent is rounded up
        (2.05, 5, 1.95, 2.15),  # 1.9475 and 2.1525
        (1521.5, 10, 1369.35, 1673.65),
        (0.09, 5, 0.08, 0.1),  # 5 % is less than a cent: the limit is one cent away
    ],
)
def test_limit_prices_are_rounded_as_the_exchange_does(close, percent, lowest, highest):
    assert limit_prices(close, PriceLimit(percent, percent)) == (lowest, highest)


def test_five_years_of_real_prices_stay_within_the_limits(shared_data: Path):
    bars = (
        pl.read_parquet(shared_data / "baostock_raw_20200102_20250407.parquet")
        .filter(pl.col("tradestatus") == 1)
        .with_columns(pl.col("date").str.to_date())
    )
    # The first day of those that come later than the archive is their listing.
    listed = {
        code: day for code, day in bars.group_by("code").agg(pl.col("date").min()).iter_rows() if day > date(2020, 1, 2)
    }
    boards = {code: board_of(normalise(code)) for code in bars["code"].unique()}

    touched, broken = 0, []
    for code, day, high, low, before, is_st in bars.select(
        "code", "date", "high", "low", "preclose", "isST"
    ).iter_rows():
        limit = price_limit(boards[code], day, is_st=bool(is_st), list_date=listed.get(code))
        if limit is not None:
            lowest, highest = limit_prices(before, limit)
            touched += high == highest or low == lowest
            if high > highest or low < lowest:
                broken.append((code, day))

    assert broken == [("sz.000792", date(2021, 8, 10))], "the day on which its listing was resumed, free of limits"
    assert touched > 3000


@pytest.mark.parametrize(
    ("board", "wanted", "order"),
    [
        ("main", 1234.9, 1200),
        ("main", 99, 0),
        ("chinext", 250, 200),
        ("star", 199, 0),
        ("star", 201, 201),
        ("bse", 99, 0),
        ("bse", 101, 101),
    ],
)
def test_buy_orders_come_in_the_boards_lots(board, wanted, order):
    assert buyable(board, wanted) == order


@pytest.mark.parametrize(
    ("board", "wanted", "held", "order"),
    [
        ("main", 150, 150, 150),
        ("main", 150, 350, 100),
        ("main", 50, 50, 50),
        ("star", 150, 150, 150),
        ("star", 150, 500, 0),
        ("main", 900, 350, 350),
    ],
)
def test_odd_lots_are_sold_only_with_all_the_rest(board, wanted, held, order):
    assert sellable(board, wanted, held) == order


def test_fees_of_a_purchase_and_a_sale_of_100000_yuan():
    assert fees("buy", 100_000, date(2025, 4, 7)) == Fees(commission=25.0, stamp_duty=0.0, transfer=1.0)
    assert fees("sell", 100_000, date(2025, 4, 7)) == Fees(commission=25.0, stamp_duty=50.0, transfer=1.0)
    assert fees("sell", 100_000, date(2025, 4, 7)).total == 76.0


def test_fees_changed_on_known_days():
    assert fees("sell", 100_000, date(2023, 8, 25)).stamp_duty == 100.0
    assert fees("sell", 100_000, date(2023, 8, 28)).stamp_duty == 50.0
    assert fees("buy", 100_000, date(2022, 4, 28)).transfer == 2.0
    assert fees("buy", 100_000, date(2022, 4, 29)).transfer == 1.0


def test_a_small_order_pays_the_least_commission_and_a_broker_may_differ():
    assert fees("buy", 1_000, date(2025, 4, 7)).commission == 5.0
    assert fees("buy", 1_000, date(2025, 4, 7), commission_rate=0.0001, commission_min=0).commission == 0.1
