"""Which trading day East Money's lists show: they carry no date of their own, so it is asked for and compared."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from types import MappingProxyType

from mystocks_dagster.errors import SourceUnavailable
from mystocks_dagster.market import clock
from mystocks_dagster.market.calendar import DATA_READY, shanghai
from mystocks_dagster.sources.akshare.columns import Call
from mystocks_dagster.sources.akshare.frames import changed
from mystocks_dagster.sources.upstream_responses import UpstreamResponse

#: From here on East Money may empty its lists for the coming session.
NEXT_SESSION_SHOWS = time(8, 30)

LISTS = "https://push2delay.eastmoney.com/api/qt/clist/get"
#: The busiest A shares and when they last changed: their newest moment tells which session the lists show.
NEWEST = MappingProxyType(
    {
        "pn": "1",
        "pz": "20",
        "po": "1",
        "np": "1",
        "fltt": "2",
        "invt": "2",
        "fid": "f6",
        "fs": "m:0 t:6,m:0 t:80,m:1 t:2,m:1 t:23,m:0 t:81 s:2048",
        "fields": "f12,f124",
    }
)


def latest_session(newest: Callable[[], date]) -> date:
    """Return the latest trading day whose data is ready by now.

    Args:
        newest: Asks the lists which session they show. Beyond the calendar they decide: a weekday may be a holiday.
    """
    day, certain = shanghai().probable_latest_closed(clock.now(), DATA_READY)
    return day if certain else min(day, newest())


def check_readable(session: date) -> None:
    """Refuse to read a closed session's lists while another one shows or is about to.

    Raises:
        SourceUnavailable: It is a trading day between 08:30 and 15:30.
    """
    now = clock.now()
    if shanghai().is_probable_session(now.date())[0] and NEXT_SESSION_SHOWS <= now.time() < DATA_READY:
        raise SourceUnavailable(
            f"East Money's lists show today's session, which is not over; those of {session} could be read until "
            f"{NEXT_SESSION_SHOWS:%H:%M}, today's can from {DATA_READY:%H:%M}. Run again then."
        )


def newest_day(call: Call, answers: Iterable[UpstreamResponse]) -> date:
    """Return the day on which the newest row of the lists last changed.

    Raises:
        SourceChanged: The rows no longer tell.
    """
    moments = [row["f124"] for answer in answers for row in answer.rows if isinstance(row.get("f124"), int)]
    if not moments:
        raise changed(call.function, "the lists no longer tell the moment of their rows (f124)")
    return datetime.fromtimestamp(max(moments), clock.SHANGHAI).date()


def check_shown(wanted: date, shown: date) -> None:
    """Refuse lists of another day than the wanted one.

    Raises:
        SourceUnavailable: They show another day.
    """
    if shown != wanted:
        raise SourceUnavailable(
            f"push2delay.eastmoney.com shows the session of {shown}, not of {wanted}. Try again later."
        )
