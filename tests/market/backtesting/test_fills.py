"""Whether a bar proves a fill: purchases at the upper limit (打板), and the days of new listings."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.backtesting.fills import board_fill, open_fill
from mystocks_dagster.market.backtesting.prices import Prices

DAY = date(2025, 3, 4)


def bar(symbol, low, open_, high, close, *, before=10.0, is_st=False, suspended=False, day=DAY):
    row = {"symbol": symbol, "date": day, "open": open_, "high": high, "low": low, "close": close}
    row |= {
        "prev_close": before,
        "volume": 0 if suspended else 1000,
        "amount": 1e7,
        "is_st": is_st,
        "suspended": suspended,
    }
    types = {"prev_close": pl.Float64, "is_st": pl.Boolean}
    return pl.DataFrame([row], schema_overrides=types)


@pytest.mark.parametrize(
    ("low", "open_", "high", "close", "reason"),
    [
        (11.0, 11.0, 11.0, 11.0, "sealed at the limit all day"),
        (10.8, 11.0, 11.0, 11.0, ""),  # opened sealed, and the seal broke: all orders at the limit were filled
        (10.1, 10.2, 11.0, 10.7, ""),  # 炸板
        (10.1, 10.2, 11.0, 11.0, "fill at the limit not proven"),
        (10.1, 10.2, 10.99, 10.99, "limit not touched"),
    ],
)
def test_a_purchase_at_the_limit_is_filled_only_where_the_price_left_it_again(low, open_, high, close, reason):
    fill = board_fill(Prices(bar("600000.SH", low, open_, high, close), [DAY]), 0)
    assert (fill.reason, fill.price) == (reason, 0.0 if reason else 11.0)


def test_a_suspended_stock_is_not_bought_at_its_limit():
    prices = Prices(bar("600000.SH", 10.0, 10.0, 10.0, 10.0, suspended=True), [DAY])
    assert (board_fill(prices, 0).reason, board_fill(prices, -1).reason) == ("suspended", "suspended")


def test_a_stock_sealed_in_the_morning_is_not_bought_at_its_open_even_if_it_opened_later():
    prices = Prices(bar("600000.SH", 10.5, 11.0, 11.0, 10.6), [DAY])
    assert open_fill(prices, 0, "buy").reason == "open at the limit"
    assert open_fill(prices, 0, "sell") == ("", 11.0)


@pytest.mark.parametrize(
    ("symbol", "listed", "reason"),
    [
        ("688001.SH", date(2025, 3, 4), ""),  # the first day of STAR
        ("688001.SH", date(2025, 2, 26), ""),  # its fifth
        ("688001.SH", date(2025, 2, 25), "open at the limit"),  # its sixth
        ("600001.SH", date(2025, 2, 26), ""),
        ("301001.SZ", date(2025, 2, 26), ""),
        ("920001.BJ", date(2025, 3, 4), ""),  # BSE: the first day only
        ("920001.BJ", date(2025, 3, 3), "open at the limit"),
        ("688001.SH", None, "open at the limit"),
    ],
)
def test_new_listings_have_no_limit_on_their_first_days(symbol, listed, reason):
    prices = Prices(bar(symbol, 15.0, 15.0, 15.0, 15.0), [DAY], {symbol: listed} if listed else {})
    assert open_fill(prices, 0, "buy").reason == reason


def test_before_the_reform_the_first_day_went_up_to_44_percent():
    day = date(2020, 3, 4)
    for price, reason in ((14.39, ""), (14.4, "open at the limit")):
        prices = Prices(bar("600001.SH", price, price, price, price, day=day), [day], {"600001.SH": day})
        assert open_fill(prices, 0, "buy").reason == reason


def test_the_first_day_needs_no_previous_close_and_other_days_do():
    first = bar("688001.SH", 20.0, 20.0, 20.0, 20.0, before=None)
    assert open_fill(Prices(first, [DAY], {"688001.SH": DAY}), 0, "buy") == ("", 20.0)
    assert open_fill(Prices(first, [DAY]), 0, "buy").reason == "price limit not known"


def test_a_price_beyond_the_limit_of_st_stocks_proves_that_a_stock_is_none():
    quiet = Prices(bar("600000.SH", 10.5, 10.5, 10.5, 10.5, is_st=None), [DAY])
    lively = Prices(bar("600000.SH", 10.3, 10.5, 10.8, 10.4, is_st=None), [DAY])
    assert open_fill(quiet, 0, "buy").reason == "price limit not known"
    assert open_fill(lively, 0, "buy").reason == ""


def test_since_july_2026_an_st_stock_has_the_limit_of_its_board():
    for day, reason in ((date(2026, 7, 3), "open at the limit"), (date(2026, 7, 6), "")):
        prices = Prices(bar("600000.SH", 10.5, 10.5, 10.5, 10.5, is_st=True, day=day), [day])
        assert open_fill(prices, 0, "buy").reason == reason
