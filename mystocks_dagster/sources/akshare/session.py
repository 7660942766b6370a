"""Determine the session of East Money's lists, which have no date of their own."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from typing import Any

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import DATA_READY, shanghai
from mystocks_dagster.sources.akshare.call import Call
from mystocks_dagster.sources.akshare.frames import changed
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

#: From this time on East Money may reset its lists for the coming session.
NEXT_SESSION_SHOWS = time(8, 30)

#: From this time on the lists show today's session: the opening auction is over.
OPENING = time(9, 30)

#: Rows of stocks that traded may have the time of an earlier session up to this number, and this share of the list.
FEW_OLD, MOST_OLD = 3, 0.1

LISTS = "https://push2delay.eastmoney.com/api/qt/clist/get"
#: Query for the first hundred A shares by code, busy ones and others, with their prices and the times of their last
#: change, the newest of which is of the shown session.
SAMPLE = MappingProxyType(
    {
        "pn": "1",
        "pz": "100",
        "po": "0",
        "np": "1",
        "fltt": "2",
        "invt": "2",
        "fid": "f12",
        "fs": "m:0 t:6,m:0 t:80,m:1 t:2,m:1 t:23,m:0 t:81 s:2048",
        "fields": "f2,f12,f124",
    }
)
#: Query for a page of Beijing's stocks by code, with their days of listing. The exchange's own list has 20 rows a page.
BEIJING = MappingProxyType({**SAMPLE, "fs": "m:0 t:81 s:2048", "fields": "f12,f14,f26"})


def latest_session(newest: Callable[[], date]) -> date:
    """Return the latest trading day whose data is ready.

    Args:
        newest: Requests the session that the lists show. It decides beyond the calendar, where a weekday may be a
            holiday.
    """
    day, certain = shanghai().probable_latest_closed(clock.now(), DATA_READY)
    return day if certain else min(day, newest())


def check_readable(session: date) -> None:
    """Check that the lists show a closed session at this time of day.

    Raises:
        SourceUnavailable: It is between 08:30 and 15:30 on a trading day.
    """
    now = clock.now()
    if shanghai().is_probable_session(now.date())[0] and NEXT_SESSION_SHOWS <= now.time() < DATA_READY:
        raise SourceUnavailable(
            f"East Money's lists show today's session, which is not closed. Those of {session} were available until "
            f"{NEXT_SESSION_SHOWS:%H:%M}; today's are available from {DATA_READY:%H:%M}. Run again then."
        )


def newest_day(call: Call, responses: Iterable[UpstreamResponse]) -> date:
    """Return the day on which the newest row of the lists last changed.

    Raises:
        SourceChanged: The rows no longer have a time.
    """
    moments = [row["f124"] for response in responses for row in response.rows if isinstance(row.get("f124"), int)]
    if not moments:
        raise changed(call.function, "the lists no longer have the time of their rows (f124)")
    return datetime.fromtimestamp(max(moments), clock.SHANGHAI).date()


def _day_of(row: Mapping[str, Any]) -> date:
    return datetime.fromtimestamp(row["f124"], clock.SHANGHAI).date()


def check_one_session(call: Call, responses: Iterable[UpstreamResponse], value: str) -> None:
    """Check that the rows of the lists are of one session.

    Args:
        call: The function that the rows are of.
        responses: The lists, whose rows have the time of their last change.
        value: The key of a number that only rows of traded stocks have.

    Raises:
        SourceUnavailable: Some rows last changed in an earlier session.
    """
    rows = [row for response in responses for row in response.rows if isinstance(row.get(value), int | float)]
    days = {row["f12"]: _day_of(row) for row in rows if isinstance(row.get("f124"), int)}
    newest = max(days.values(), default=None)
    old = [code for code, day in days.items() if day != newest]
    if len(old) > max(FEW_OLD, MOST_OLD * len(days)):
        raise SourceUnavailable(
            f"rows_of_two_sessions: {len(old)} of {len(days)} rows of {call.function}() last changed before {newest}, "
            f"e.g. {old[0]} on {days[old[0]]}. push2delay.eastmoney.com is being updated; try again later."
        )


def check_session(expected: date, actual: date) -> None:
    """Check that the lists show the expected session.

    Raises:
        SourceUnavailable: They show another session.
    """
    if actual != expected:
        raise SourceUnavailable(
            f"push2delay.eastmoney.com shows the session of {actual}, not of {expected}. Try again later."
        )


def check_begun(shown: date) -> None:
    """Check that the lists show the latest session that has begun.

    Raises:
        SourceUnavailable: They show an earlier one.
    """
    begun, certain = shanghai().probable_latest_closed(clock.now(), OPENING)
    if certain and shown < begun:
        check_session(begun, shown)
