"""Which trading days are wanted of a source: by the calendar, and beyond its end by what the source shows and states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from mystocks_dagster.errors import NotOffered
from mystocks_dagster.market.calendar import DATA_READY, TradingCalendar, shanghai
from mystocks_dagster.market.clock import now
from mystocks_dagster.sources.protocol import MarketSource


@dataclass(frozen=True, kw_only=True)
class RequestedDays:
    """The trading days to load, ascending, and what a person should know about the choice.

    Attributes:
        unsure: Those beyond the calendar that may be holidays: a source without bars of one lacks nothing.
    """

    days: tuple[date, ...]
    unsure: frozenset[date] = frozenset()
    note: str = ""


def known_calendar(source: MarketSource) -> TradingCalendar:
    """Return the calendar in force, extended by what a source with history states where it does not reach to now."""
    calendar = shanghai()
    if now().date() <= calendar.last or not source.has_history:
        return calendar
    try:
        days = source.trading_days()
    except NotOffered:
        return calendar
    return calendar.extended(days, max(days, default=calendar.last))


def latest_closed(source: MarketSource) -> date:
    """Return the latest trading day whose data vendors have by now; beyond the calendar, the newest that the source shows.

    A weekday beyond the calendar may be a holiday: the bars of a source whose newest are older say so.
    """
    calendar = known_calendar(source)
    day, certain = calendar.probable_latest_closed(now(), DATA_READY)
    if certain:
        return day
    try:
        newest = source.bar_days()[1]
    except NotOffered:
        return day
    return max(calendar.previous(calendar.last + timedelta(days=1)), min(day, newest))


def requested_days(
    source: MarketSource, *, asked: Sequence[date] = (), start: date | None = None, end: date | None = None
) -> RequestedDays:
    """Return the days that a sync should have, whether they are stored already or not.

    A window is cut to what a source with history reaches. A source of snapshots is asked for all of it: it may know
    the past of single symbols, and what it cannot give is to be seen as missing.

    Args:
        source: Where they will come from.
        asked: Partitions; they win over the window.
        start: First day of a window; None with `end` given means the source's first day.
        end: Last day of a window; None with `start` given means the latest closed day.

    Raises:
        OutsideCalendar: The window reaches beyond the calendar, and the source states no days there.
    """
    closed, calendar = latest_closed(source), known_calendar(source)
    if asked:
        idle = {day: "is no trading day" for day in asked if not calendar.is_probable_session(day)[0]}
        idle |= {day: _why_not(source, calendar, day, closed) for day in asked if day > closed and day not in idle}
        note = "; ".join(f"{day} {reason}" for day, reason in sorted(idle.items()))
        return RequestedDays(days=tuple(sorted(set(asked) - idle.keys())), note=f"{note}." if note else "")
    for day in (start, end):
        if day is not None:
            calendar.is_session(day)  # raises where nothing is known: a backfill guesses no trading days
    first, last = source.bar_days()
    skipped = _skipped_today(source, calendar, closed) if end is None else ""
    if start is None and end is None and not source.has_history:
        return RequestedDays(days=(min(last, closed),), note=skipped)
    window = (start or first, end or closed)
    reach = (first, min(last, closed)) if source.has_history else (window[0], closed)
    begin, until = max(window[0], reach[0]), min(window[1], reach[1])
    days = (
        tuple(calendar.sessions(max(begin, calendar.first), min(until, calendar.last)))
        if begin <= calendar.last
        else ()
    )
    unsure = tuple(_weekdays(max(begin, calendar.last + timedelta(days=1)), until))
    cut = (start is not None and start < reach[0]) or (end is not None and end > reach[1])
    note = f"{source.name} reaches from {reach[0]} to {reach[1]}." if cut else skipped
    return RequestedDays(days=(*days, *unsure), unsure=frozenset(unsure) - {closed}, note=note)


def _weekdays(start: date, end: date) -> Iterator[date]:
    span = (start + timedelta(days=number) for number in range((end - start).days + 1))
    return (day for day in span if day.weekday() < 5)


def _why_not(source: MarketSource, calendar: TradingCalendar, day: date, closed: date) -> str:
    """Say why a day after the latest closed one is not loaded."""
    if day > calendar.probable_latest_closed(now(), DATA_READY)[0]:
        return "is not over yet"
    return f"is skipped: {source.name} shows no bars after {closed}, and the trading calendar ends on {calendar.last}"


def _skipped_today(source: MarketSource, calendar: TradingCalendar, closed: date) -> str:
    """Say which weekday, perhaps a holiday, is not loaded because the source shows older bars; nothing within the calendar."""
    day, certain = calendar.probable_latest_closed(now(), DATA_READY)
    return "" if certain or day <= closed else f"{day} {_why_not(source, calendar, day, closed)}."
