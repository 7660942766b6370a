"""Which days are silent: a bar that is missing there may exist all the same. Decided by what is known, never by a guess.

A symbol's last stored bar is of the trading day before its next one when no silent day lies between the two.
"""

from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.market.calendar import TradingCalendar

#: Below so many symbols a share of them proves nothing.
_MANY = 20
#: On no trading day do the closes of so many symbols stay as they were; on a day without trading all do but for
#: ex-dividend days.
_UNMOVED = 0.9


def silent_days(start: date, end: date, calendar: TradingCalendar, answered: Collection[date]) -> list[date]:
    """Return the days from `start` to `end`, ascending, that may have been trading days of which a bar is not stored.

    Args:
        start: First day.
        end: Last day.
        calendar: The published calendar decides within its bounds; beyond them every weekday may be a trading day.
        answered: Days on which a missing bar is known to mean that there was none: days that are loaded completely, and
            days beyond the calendar that are known to have been without trading.
    """
    span = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in span if day not in answered and calendar.is_probable_session(day)[0]]


def uncertain(days: Collection[date], calendar: TradingCalendar) -> list[date]:
    """Return those of `days` of which the published calendar does not know whether they are trading days."""
    return [day for day in days if not calendar.is_probable_session(day)[1]]


def follow_directly(earlier: pl.DataFrame, later: pl.DataFrame) -> bool:
    """Say whether the bars of two days show that no trading day lies between them.

    They do when the exchange's previous close of nearly every symbol is its close of the earlier day.

    Args:
        earlier: `symbol` and `close` of the earlier day.
        later: `symbol` and `prev_close` of the later one, of the symbols that traded on it.
    """
    both = earlier.join(later.drop_nulls(), on="symbol")
    unmoved = both.filter((pl.col("prev_close") - pl.col("close")).abs() < pl.col("close") * 1e-6).height
    return both.height >= _MANY and unmoved >= _UNMOVED * both.height
