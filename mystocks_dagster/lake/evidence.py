"""Evidence in the lake about days on which a symbol has no stored bar: did it trade or not?"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.reading import TableReader
from mystocks_dagster.market.adjacency import are_consecutive, silent_days, uncertain
from mystocks_dagster.market.calendar import TradingCalendar

#: Longer than the longest holiday.
_AROUND = timedelta(days=40)


def silent_days_between(
    lake: TableReader,
    bars: pl.DataFrame,
    complete: Collection[date],
    calendar: TradingCalendar,
    suspended: Callable[[Collection[int]], Collection[date]] | None = None,
) -> list[date]:
    """Return, ascending, the days between those bars and their previous ones on which an unstored bar may exist.

    Days are ruled out in this order: by the published calendar; by complete days that lack no row, on which a symbol
    without a bar was suspended (unless suspended days are stored as bars in that year); and beyond the calendar by
    the exchange's previous closes, which show that no trading day lies between two stored ones.

    Args:
        lake: Where `daily_bars` is.
        bars: `date` and `last_date`, the day of the symbol's previous bar.
        complete: Days that are completely loaded and lack no row.
        calendar: The published calendar.
        suspended: Returns the days of some years on which suspended symbols are stored as bars; None reads them.
    """
    not_adjacent = bars.filter((pl.col("date") - pl.col("last_date")) > timedelta(days=1))
    if not_adjacent.is_empty():
        return []
    spans = sorted(not_adjacent.select("last_date", "date").unique().iter_rows())
    candidates = _between(spans, silent_days(spans[0][0], max(day for _, day in spans), calendar, ()))
    if not candidates:
        return []
    years = {day.year for day in candidates}
    paused = {day.year for day in (suspended(years) if suspended else suspended_days(lake, years))}
    answered = {day for day in candidates if day in complete and day.year not in paused}
    silent = [day for day in candidates if day not in answered]
    closed = _days_without_trading(lake, [day for day in uncertain(silent, calendar) if day not in complete])
    return [day for day in silent if day not in closed]


def suspended_days(lake: TableReader, years: Collection[int]) -> set[date]:
    """Return the days from the first to the last of `years` on which suspended symbols are stored as bars."""
    start, end = date(min(years), 1, 1), date(max(years), 12, 31)
    bars = lake.scan("daily_bars", columns=["date", "suspended"], start=start, end=end).filter("suspended")
    return {*bars.select(pl.col("date").unique()).collect()["date"]}


def suspension_years(lake: TableReader, years: Collection[int]) -> set[int]:
    """Return those of `years` in which suspended days are stored as bars."""
    return {day.year for day in suspended_days(lake, years)} & {*years}


def _between(spans: Iterable[tuple[date, date]], days: list[date]) -> list[date]:
    """Return those of `days` that lie strictly within one of the spans."""
    indices: set[int] = set()
    for last, day in spans:
        indices.update(range(bisect_right(days, last), bisect_left(days, day)))
    return [days[index] for index in sorted(indices)]


def _days_without_trading(lake: TableReader, days: list[date]) -> set[date]:
    """Return those of `days`, all beyond the calendar, that lie between two stored consecutive trading days."""
    if not days:
        return set()
    bars = lake.read(
        "daily_bars",
        columns=["symbol", "date", "close", "prev_close", "suspended"],
        start=days[0] - _AROUND,
        end=days[-1] + _AROUND,
    )
    stored = sorted(bars["date"].unique())
    around: dict[tuple[date, date], list[date]] = {}
    for day in (day for day in days if day not in stored):
        index = bisect_left(stored, day)
        if 0 < index < len(stored):
            around.setdefault((stored[index - 1], stored[index]), []).append(day)
    closed = (between for pair, between in around.items() if _are_consecutive(bars, *pair))
    return set().union(*closed)


def _are_consecutive(bars: pl.DataFrame, earlier: date, later: date) -> bool:
    traded = bars.filter(~pl.col("suspended"))
    return are_consecutive(
        traded.filter(date=earlier).select("symbol", "close"), traded.filter(date=later).select("symbol", "prev_close")
    )
