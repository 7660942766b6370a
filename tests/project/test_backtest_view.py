"""Monthly returns of a curve, as a person computes them from the month's ends."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.project.backtest_view import monthly_returns


def test_each_month_is_measured_from_the_last_day_of_the_month_before() -> None:
    curve = pl.DataFrame(
        {
            "date": [date(2025, 11, 28), date(2025, 12, 1), date(2025, 12, 31), date(2026, 1, 5), date(2026, 2, 27)],
            "equity": [100.0, 104.0, 110.0, 121.0, 96.8],
        }
    )
    months = monthly_returns(curve)
    assert list(months) == [2026, 2025]
    assert months[2025][10:] == [pytest.approx(0), pytest.approx(10), pytest.approx(10)]
    assert months[2025][:10] == [None] * 10
    assert months[2026][:2] == [pytest.approx(10), pytest.approx(-20)]
    assert months[2026][12] == pytest.approx(-12)  # 110 to 96.8


def test_no_curve_has_no_months() -> None:
    assert monthly_returns(pl.DataFrame(schema={"date": pl.Date, "equity": pl.Float64})) == {}
