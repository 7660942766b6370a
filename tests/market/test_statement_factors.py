"""Twelve months and growth by hand, from what was known on each day."""

from datetime import date

import polars as pl
import pytest

from mystocks_dagster.market.statement_factors import known_figures

Y21, Y22, Y23 = (date(year, 12, 31) for year in (2021, 2022, 2023))
Q1_22, Q1_23, Q1_24 = (date(year, 3, 31) for year in (2022, 2023, 2024))


def figures(*versions):
    rows = pl.DataFrame(
        [("600519.SH", *version) for version in versions],
        schema={"symbol": pl.String, "period": pl.Date, "known": pl.Date, "profit": pl.Float64},
        orient="row",
    )
    known = known_figures(rows, ["profit"])
    return {row["known"]: row for row in known.to_dicts()}


HISTORY = [
    (Y21, date(2022, 3, 31), 100.0),
    (Q1_22, date(2022, 4, 28), 30.0),
    (Y22, date(2023, 3, 31), 120.0),
    (Q1_23, date(2023, 4, 28), 40.0),
]


def test_twelve_months_are_this_report_and_the_last_year_less_its_same_quarter():
    known = figures(*HISTORY)[date(2023, 4, 28)]
    assert (known["period"], known["profit"]) == (Q1_23, 40.0)
    assert known["profit_ttm"] == 120 + 40 - 30
    # A year earlier: 100 + 30 less the first quarter of 2021, which is unknown.
    assert known["profit_growth"] is None


def test_of_an_annual_report_the_year_is_the_twelve_months():
    known = figures(*HISTORY)[date(2023, 3, 31)]
    assert (known["profit_ttm"], known["profit_growth"]) == (120.0, pytest.approx(0.2))


def test_a_loss_that_becomes_a_profit_has_grown():
    known = figures((Y21, date(2022, 3, 31), -50.0), (Y22, date(2023, 3, 31), 25.0))
    assert known[date(2023, 3, 31)]["profit_growth"] == pytest.approx(1.5)


def test_a_correction_counts_from_its_own_day():
    known = figures(*HISTORY, (Q1_22, date(2023, 6, 1), 25.0), (Q1_23, date(2023, 6, 30), 44.0))
    assert known[date(2023, 4, 28)]["profit_ttm"] == 130.0
    assert known[date(2023, 6, 1)]["profit_ttm"] == 135.0
    assert known[date(2023, 6, 30)]["profit_ttm"] == 139.0


def test_an_older_report_that_is_published_late_is_not_the_newest():
    known = figures(*HISTORY, (date(2021, 9, 30), date(2023, 7, 1), 70.0))
    assert known[date(2023, 7, 1)]["period"] == Q1_23


def test_two_reports_of_one_day_count_as_the_newer():
    known = figures(*HISTORY[:2], (Y22, date(2023, 4, 28), 120.0), HISTORY[3])
    assert known[date(2023, 4, 28)]["profit_ttm"] == 130.0


def test_what_is_unknown_stays_unknown():
    assert figures((Q1_24, date(2024, 4, 28), 10.0))[date(2024, 4, 28)]["profit_ttm"] is None
    assert figures((Y23, date(2024, 4, 1), None))[date(2024, 4, 1)]["profit_ttm"] is None
