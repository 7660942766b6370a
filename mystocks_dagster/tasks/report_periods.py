"""Report periods, which end with the quarters, and which of them to fetch."""

from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.store import Lake


def quarter_end(day: date) -> date:
    """Return the last day of the quarter of `day`."""
    return pl.Series([day]).dt.truncate("1q").dt.offset_by("3mo").dt.offset_by("-1d").item()


def open_periods(lake: Lake, table: str, day: date) -> list[date]:
    """Return the quarter ends to fetch: the last four, or those from the one before the newest stored on.

    The one before, because an annual report may be published as late as the first quarter's report after it.
    """
    stored = lake.days(table)
    first = quarter_end(stored[-1] - timedelta(days=100)) if stored else quarter_end(day - timedelta(days=366))
    ends = pl.date_range(first, day, interval="1q", eager=True).dt.month_end().to_list()
    return [end for end in ends if end <= day]


def check_periods(periods: list[date] | None) -> list[date] | None:
    """Return periods without duplicates, ascending.

    Raises:
        ValueError: A day is not the end of a quarter.
    """
    for day in periods or []:
        if day != quarter_end(day):
            raise ValueError(f"{day} is not the end of a quarter; {quarter_end(day)} is")
    return sorted(set(periods)) if periods else None
