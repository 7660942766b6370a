"""Weekly bars, by hand."""

from datetime import date

import polars as pl

from mystocks_dagster.market.weekly import weekly_bars

COLUMNS = ["symbol", "date", "open", "high", "low", "close"]


def daily(*rows) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def test_a_week_opens_with_its_first_day_and_closes_with_its_last():
    bars = daily(
        ("000001.SZ", date(2025, 3, 31), 10.0, 10.5, 9.9, 10.2),  # Monday
        ("000001.SZ", date(2025, 4, 1), 10.2, 11.0, 10.1, 10.9),
        ("000001.SZ", date(2025, 4, 3), 10.9, 10.9, 9.5, 9.6),  # Thursday; Friday is Qingming
        ("000001.SZ", date(2025, 4, 7), 9.0, 9.1, 8.7, 8.7),
    )
    assert weekly_bars(bars).rows() == [
        ("000001.SZ", date(2025, 4, 3), 10.0, 11.0, 9.5, 9.6),
        ("000001.SZ", date(2025, 4, 7), 9.0, 9.1, 8.7, 8.7),
    ]


def test_a_week_across_new_year_is_one_week():
    bars = daily(
        ("600519.SH", date(2024, 12, 30), 1.0, 2.0, 1.0, 2.0),
        ("600519.SH", date(2024, 12, 31), 2.0, 3.0, 2.0, 3.0),
        ("600519.SH", date(2025, 1, 2), 3.0, 4.0, 0.5, 1.5),
        ("600519.SH", date(2025, 1, 3), 1.5, 1.5, 1.5, 1.5),
    )
    assert weekly_bars(bars).rows() == [("600519.SH", date(2025, 1, 3), 1.0, 4.0, 0.5, 1.5)]


def test_each_symbol_ends_its_week_on_its_own_last_day():
    bars = daily(
        ("000001.SZ", date(2025, 4, 1), 2.0, 2.0, 2.0, 2.0),
        ("000001.SZ", date(2025, 4, 2), 1.0, 1.0, 1.0, 1.0),
        ("600519.SH", date(2025, 4, 1), 5.0, 5.0, 5.0, 5.0),
    )
    assert weekly_bars(bars).select("symbol", "date", "open", "close").rows() == [
        ("000001.SZ", date(2025, 4, 2), 2.0, 1.0),
        ("600519.SH", date(2025, 4, 1), 5.0, 5.0),
    ]
