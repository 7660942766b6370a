"""Silent days: days on which a bar may exist although none is stored.

Two stored bars of a symbol are of consecutive trading days if no silent day lies between them.
"""

from collections.abc import Collection
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.market.calendar import TradingCalendar

#: With fewer symbols the share below is not significant.
_MIN_SYMBOLS = 20
#: After a trading day fewer closes than this share are unchanged; after a day without trading all are, except on
#: ex-dividend days.
_UNCHANGED_SHARE = 0.9


def silent_days(start: date, end: date, calendar: TradingCalendar, answered: Collection[date]) -> list[date]:
    """Return the days from `start` to `end`, ascending, that may be trading days whose bars are not stored.

    Args:
        start: First day.
        end: Last day.
        calendar: Within its bounds it decides; beyond them every weekday may be a trading day.
        answered: Days on which a missing bar means that there was none: completely loaded days, and days beyond the
            calendar that are known to be closed.
    """
    span = (start + timedelta(days=n) for n in range((end - start).days + 1))
    return [day for day in span if day not in answered and calendar.is_probable_session(day)[0]]


def uncertain(days: Collection[date], calendar: TradingCalendar) -> list[date]:
    """Return those of `days` that lie beyond the calendar, so that they may or may not be trading days."""
    return [day for day in days if not calendar.is_probable_session(day)[1]]


def are_consecutive(earlier: pl.DataFrame, later: pl.DataFrame) -> bool:
    """Return whether the bars of two days prove that no trading day lies between them.

    The proof: for nearly every symbol the later day's previous close equals the earlier day's close.

    Args:
        earlier: `symbol` and `close` of the earlier day.
        later: `symbol` and `prev_close` of the later one, of the symbols that traded on it.
    """
    both = earlier.join(later.drop_nulls(), on="symbol")
    unchanged = both.filter((pl.col("prev_close") - pl.col("close")).abs() < pl.col("close") * 1e-6).height
    return both.height >= _MIN_SYMBOLS and unchanged >= _UNCHANGED_SHARE * both.height
