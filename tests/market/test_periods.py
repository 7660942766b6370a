"""Weekly and monthly bars, by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from mystocks_dagster.market.periods import PERIODS, period_bars, period_numbers, period_start

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
    assert period_bars(bars, "weekly").rows() == [
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
    assert period_bars(bars, "weekly").rows() == [("600519.SH", date(2025, 1, 3), 1.0, 4.0, 0.5, 1.5)]


def test_each_symbol_ends_its_week_on_its_own_last_day():
    bars = daily(
        ("000001.SZ", date(2025, 4, 1), 2.0, 2.0, 2.0, 2.0),
        ("000001.SZ", date(2025, 4, 2), 1.0, 1.0, 1.0, 1.0),
        ("600519.SH", date(2025, 4, 1), 5.0, 5.0, 5.0, 5.0),
    )
    assert period_bars(bars, "weekly").select("symbol", "date", "open", "close").rows() == [
        ("000001.SZ", date(2025, 4, 2), 2.0, 1.0),
        ("600519.SH", date(2025, 4, 1), 5.0, 5.0),
    ]


def test_a_month_is_a_month_of_the_calendar():
    bars = daily(
        ("600519.SH", date(2024, 12, 31), 1.0, 2.0, 1.0, 2.0),
        ("600519.SH", date(2025, 1, 2), 3.0, 4.0, 0.5, 1.5),
        ("600519.SH", date(2025, 1, 27), 1.5, 1.6, 1.4, 1.55),
        ("600519.SH", date(2025, 2, 5), 9.0, 9.0, 9.0, 9.0),
    ).with_columns(volume=pl.Series([1, 2, 3, 4]))
    assert period_bars(bars, "monthly").rows() == [
        ("600519.SH", date(2024, 12, 31), 1.0, 2.0, 1.0, 2.0, 1),
        ("600519.SH", date(2025, 1, 27), 3.0, 4.0, 0.5, 1.55, 5),
        ("600519.SH", date(2025, 2, 5), 9.0, 9.0, 9.0, 9.0, 4),
    ]
    assert period_bars(bars, "daily") is bars


def test_a_period_begins_on_its_monday_or_first():
    day = date(2025, 1, 2)
    assert [period_start(day, period) for period in PERIODS] == [day, date(2024, 12, 30), date(2025, 1, 1)]
    days = np.array([(date(2024, 12, 30) + timedelta(n) - date(1970, 1, 1)).days for n in range(-1, 8)], np.int32)
    assert np.unique(period_numbers(days, "weekly"), return_counts=True)[1].tolist() == [1, 7, 1]
    assert np.unique(period_numbers(days, "monthly"), return_counts=True)[1].tolist() == [3, 6]
