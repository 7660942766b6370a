"""What the lake knows of days on which a symbol has no bar: that there was none, or nothing."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from datetime import date, timedelta

import polars as pl

from mystocks_dagster.lake.store import Lake
from mystocks_dagster.market.adjacency import are_consecutive, silent_days, uncertain
from mystocks_dagster.market.calendar import TradingCalendar

#: Further than the longest holiday.
_AROUND = timedelta(days=40)


def silence(lake: Lake, bars: pl.DataFrame, complete: Collection[date], calendar: TradingCalendar) -> list[date]:
    """Return, ascending, the days between those bars and their last ones on which a bar may exist that is not stored.

    Three things answer, in this order: the published calendar; the days that are loaded completely and lack no row, on
    which a symbol without a bar was suspended (unless that year's bars include suspended ones: then a missing bar is a
    missing bar);
    the exchange's previous closes, which beyond the calendar show that no trading day lies between two stored ones.

    Args:
        lake: Where `daily_bars` is.
        bars: `date` and `last_date`.
        complete: Days that are loaded completely and lack no row.
        calendar: The published calendar.
    """
    apart = bars.filter((pl.col("date") - pl.col("last_date")) > timedelta(days=1))
    if apart.is_empty():
        return []
    spans = sorted(apart.select("last_date", "date").unique().iter_rows())
    candidates = _between(spans, silent_days(spans[0][0], max(day for _, day in spans), calendar, ()))
    if not candidates:
        return []
    paused = suspension_years(lake, {day.year for day in candidates})
    answered = {day for day in candidates if day in complete and day.year not in paused}
    silent = [day for day in candidates if day not in answered]
    closed = _days_without_trading(lake, [day for day in uncertain(silent, calendar) if day not in complete])
    return [day for day in silent if day not in closed]


def suspension_years(lake: Lake, years: Collection[int], *, without: Collection[date] = ()) -> set[int]:
    """Return those of `years` in which suspended days are stored as bars, bars of the days `without` set aside."""
    start, end = date(min(years), 1, 1), date(max(years), 12, 31)
    bars = lake.scan("daily_bars", columns=["date", "suspended"], start=start, end=end).filter("suspended")
    days = bars.select(pl.col("date").unique()).collect()["date"].to_list()
    return {day.year for day in days if day not in without} & {*years}


def _between(spans: Iterable[tuple[date, date]], days: list[date]) -> list[date]:
    """Return those of `days` that lie within one of the spans, neither end included."""
    found: set[int] = set()
    for last, day in spans:
        found.update(range(bisect_right(days, last), bisect_left(days, day)))
    return [days[at] for at in sorted(found)]


def _days_without_trading(lake: Lake, days: list[date]) -> set[date]:
    """Return those of `days`, of which the calendar does not know, that lie between stored days that follow directly."""
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
        at = bisect_left(stored, day)
        if 0 < at < len(stored):
            around.setdefault((stored[at - 1], stored[at]), []).append(day)
    return {day for pair, between in around.items() if _directly(bars, *pair) for day in between}


def _directly(bars: pl.DataFrame, earlier: date, later: date) -> bool:
    traded = bars.filter(~pl.col("suspended"))
    return are_consecutive(
        traded.filter(date=earlier).select("symbol", "close"), traded.filter(date=later).select("symbol", "prev_close")
    )
