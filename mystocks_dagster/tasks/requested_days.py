"""The trading days that a sync should have: by the calendar, and beyond its end by the bars and days of the source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mystocks_dagster.errors import NotOffered
from mystocks_dagster.market.calendar import CLOSE, TradingCalendar, shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.market.publication import AFTER_THE_CLOSE, Publication
from mystocks_dagster.sources.protocol import MarketSource


@dataclass(frozen=True, kw_only=True)
class RequestedDays:
    """The trading days to load.

    Attributes:
        days: The days, ascending.
        unsure: Days beyond the calendar that may be holidays: bars are not missing when the source has none.
        note: A sentence for users about days that were left out; may be empty.
    """

    days: tuple[date, ...]
    unsure: frozenset[date] = frozenset()
    note: str = ""


def known_calendar(source: MarketSource) -> TradingCalendar:
    """Return the current calendar; when it ends in the past, extended by the trading days of a source with history."""
    calendar = shanghai()
    if now().date() <= calendar.last or not source.has_history:
        return calendar
    try:
        days = source.trading_days()
    except NotOffered:
        return calendar
    return calendar.extended(days, max(days, default=calendar.last))


def latest_closed(source: MarketSource, published: Publication = AFTER_THE_CLOSE) -> date:
    """Return the newest published trading day; beyond the calendar, the newest with bars in the source.

    A weekday beyond the calendar may be a holiday, as older newest bars of the source suggest.
    """
    calendar = known_calendar(source)
    day = published.newest(now(), calendar)
    if calendar.is_probable_session(day)[1]:
        return day
    try:
        newest = source.bar_days()[1]
    except NotOffered:
        return day
    return max(calendar.previous(calendar.last + timedelta(days=1)), min(day, newest))


def requested_days(
    source: MarketSource,
    *,
    asked: Sequence[date] = (),
    start: date | None = None,
    end: date | None = None,
    published: Publication = AFTER_THE_CLOSE,
) -> RequestedDays:
    """Return the days that a sync should have, whether they are already stored or not.

    A window is limited to the days that a source with history has. For a source of snapshots it is not limited: the
    source may have the past of single symbols, and days that it cannot provide must be reported as missing.

    Args:
        source: The source of the data.
        asked: Requested partitions; they take precedence over the window.
        start: First day of a window; None with `end` given means the source's first day.
        end: Last day of a window; None with `start` given means the newest published day.
        published: When the rows of a trading day are published.

    Raises:
        OutsideCalendar: The window reaches beyond the calendar, and the source does not list trading days there.
    """
    closed, calendar = latest_closed(source, published), known_calendar(source)
    if asked:
        skipped_days = {day: "is not a trading day" for day in asked if not calendar.is_probable_session(day)[0]}
        later = [day for day in asked if day > closed and day not in skipped_days]
        skipped_days |= {day: _skip_reason(source, calendar, day, closed, published) for day in later}
        note = "; ".join(f"{day} {reason}" for day, reason in sorted(skipped_days.items()))
        return RequestedDays(days=tuple(sorted(set(asked) - skipped_days.keys())), note=f"{note}." if note else "")
    for day in (start, end):
        if day is not None:
            calendar.is_session(day)  # raises beyond the calendar: a backfill does not guess trading days
    first, last = source.bar_days()
    today_note = _today_note(source, calendar, closed, published) if end is None else ""
    if start is None and end is None and not source.has_history:
        return RequestedDays(days=(min(last, closed),), note=today_note)
    window = (start or first, end or closed)
    reach = (first, min(last, closed)) if source.has_history else (window[0], closed)
    begin, until = max(window[0], reach[0]), min(window[1], reach[1])
    days: list[date] = []
    if begin <= calendar.last:
        days = calendar.sessions(max(begin, calendar.first), min(until, calendar.last))
    unsure = tuple(_probable(calendar, max(begin, calendar.last + timedelta(days=1)), until))
    cut = (start is not None and start < reach[0]) or (end is not None and end > reach[1])
    note = f"{source.name} has only bars from {reach[0]} to {reach[1]}." if cut else today_note
    return RequestedDays(days=(*days, *unsure), unsure=frozenset(unsure) - {closed}, note=note)


def _probable(calendar: TradingCalendar, start: date, end: date) -> Iterator[date]:
    span = (start + timedelta(days=number) for number in range((end - start).days + 1))
    return (day for day in span if calendar.is_probable_session(day)[0])


def _skip_reason(
    source: MarketSource, calendar: TradingCalendar, day: date, closed: date, published: Publication
) -> str:
    """Return why a day after the newest published one is not loaded."""
    if day > calendar.probable_latest_closed(now(), CLOSE)[0]:
        return "is not over yet"
    if day > published.newest(now(), calendar):
        return f"is not published before {published.moment(day, calendar):%Y-%m-%d %H:%M}"
    return f"is skipped: {source.name} has no bars after {closed}, and the trading calendar ends on {calendar.last}"


def _today_note(source: MarketSource, calendar: TradingCalendar, closed: date, published: Publication) -> str:
    """Return a sentence about a closed day that is skipped: not published, or beyond the calendar without bars."""
    day, certain = calendar.probable_latest_closed(now(), CLOSE)
    if day <= closed or (certain and day <= published.newest(now(), calendar)):
        return ""
    return f"{day} {_skip_reason(source, calendar, day, closed, published)}."
