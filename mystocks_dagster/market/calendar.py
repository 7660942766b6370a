"""The trading calendar of the Chinese stock exchanges; Shanghai, Shenzhen and Beijing have the same trading days."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from mystocks_dagster.errors import OutsideCalendar
from mystocks_dagster.market.clock import SHANGHAI

#: The end of trading; from this time on a session counts as closed.
CLOSE = time(15, 0)
#: From this time on vendors have the day's bars.
DATA_READY = time(15, 30)

#: Public holidays with a fixed date, by the State Council's 全国年节及纪念日放假办法, on which the exchanges have not
#: traded since 1999, when 3 October became one; on the others they never have. Later, only a new law changes them.
HOLIDAYS = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})

_CLOSURES = Path(__file__).with_name("xshg_closures.txt")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TradingCalendar:
    """The trading days between two bounds; days beyond the bounds are unknown, but for holidays with a fixed date.

    Attributes:
        first: First known day.
        last: Last known day.
    """

    first: date
    last: date
    _sessions: tuple[date, ...] = field(repr=False)
    _known: frozenset[date] = field(repr=False)

    @classmethod
    def from_days(cls, days: Iterable[date], first: date | None = None, last: date | None = None) -> "TradingCalendar":
        """Make a calendar of exactly these trading days; the bounds default to the first and the last of them.

        Raises:
            ValueError: `days` is empty, or a day lies outside the bounds.
        """
        sessions = tuple(sorted(set(days)))
        if not sessions:
            raise ValueError("A trading calendar needs at least one trading day.")
        first, last = first or sessions[0], last or sessions[-1]
        if not first <= sessions[0] <= sessions[-1] <= last:
            raise ValueError(f"Trading days from {sessions[0]} to {sessions[-1]} do not lie within {first} to {last}.")
        return cls(first, last, sessions, frozenset(sessions))

    def is_session(self, day: date) -> bool:
        """Return whether the exchanges trade on that day.

        Raises:
            OutsideCalendar: The day lies outside the bounds.
        """
        self._check(day)
        return day in self._known

    def is_probable_session(self, day: date) -> tuple[bool, bool]:
        """Return (trades, certain).

        Outside the bounds every weekday is assumed to be a trading day, not certain, but for `HOLIDAYS`.
        """
        if self.first <= day <= self.last:
            return day in self._known, True
        if is_holiday(day):
            return False, True
        return day.weekday() < 5, False

    def sessions(self, start: date, end: date) -> list[date]:
        """Return the trading days from `start` to `end`, both included, ascending; none if `start` is after `end`.

        Raises:
            OutsideCalendar: `start` or `end` lies outside the bounds.
        """
        self._check(start)
        self._check(end)
        return list(self._sessions[bisect_left(self._sessions, start) : bisect_right(self._sessions, end)])

    def closures(self, start: date | None = None, end: date | None = None) -> list[date]:
        """Return the weekdays (Monday to Friday) from `start` to `end` on which the exchanges do not trade.

        The defaults are the bounds of the calendar.

        Raises:
            OutsideCalendar: `start` or `end` lies outside the bounds.
        """
        start, end = start or self.first, end or self.last
        self._check(start)
        self._check(end)
        span = (start + timedelta(days=n) for n in range((end - start).days + 1))
        return [day for day in span if day.weekday() < 5 and day not in self._known]

    def previous(self, day: date) -> date:
        """Return the last trading day before `day`, which need not be a trading day.

        Raises:
            OutsideCalendar: That day lies outside the bounds.
        """
        self._check(day - _DAY)
        at = bisect_left(self._sessions, day)
        if at == 0:
            raise self._outside(day - _DAY)
        return self._sessions[at - 1]

    def next(self, day: date) -> date:
        """Return the first trading day after `day`, which need not be a trading day.

        Raises:
            OutsideCalendar: That day lies outside the bounds.
        """
        self._check(day + _DAY)
        at = bisect_right(self._sessions, day)
        if at == len(self._sessions):
            raise self._outside(self.last + _DAY)
        return self._sessions[at]

    def latest_closed(self, moment: datetime, close: time = CLOSE) -> date:
        """Return the latest trading day that is closed at `moment`; a day closes at `close`, Shanghai time.

        Raises:
            OutsideCalendar: `moment` lies outside the bounds.
            ValueError: `moment` is naive.
        """
        day = self._first_open_day(moment, close)
        return self.previous(day)

    def probable_latest_closed(self, moment: datetime, close: time = CLOSE) -> tuple[date, bool]:
        """Return (day, certain) like `latest_closed`; outside the bounds, the latest closed weekday, not certain."""
        day = self._first_open_day(moment, close) - _DAY
        while not self.is_probable_session(day)[0]:
            day -= _DAY
        return day, self.is_probable_session(day)[1]

    def extended(self, days: Iterable[date], last: date) -> "TradingCalendar":
        """Return a calendar that is extended to `last` by those of `days` that are after this one's end.

        Raises:
            ValueError: A day lies after `last`.
        """
        if last <= self.last:
            return self
        further = (day for day in days if day > self.last)
        return TradingCalendar.from_days((*self._sessions, *further), self.first, last)

    def coverage_days_left(self, moment: datetime) -> int:
        """Return the number of calendar days from `moment` to the last known day; negative beyond it."""
        return (self.last - _shanghai_day(moment)).days

    def _first_open_day(self, moment: datetime, close: time) -> date:
        day = _shanghai_day(moment)
        return day + _DAY if moment.astimezone(SHANGHAI).time() >= close else day

    def _check(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise self._outside(day)

    def _outside(self, day: date) -> OutsideCalendar:
        return OutsideCalendar(
            f"{day} is outside the exchange calendar, which covers {self.first} to {self.last}; "
            "choose a day within it, or extend it: mystocks calendar --refresh"
        )


def is_holiday(day: date) -> bool:
    """Return whether a day is one of `HOLIDAYS`."""
    return (day.month, day.day) in HOLIDAYS


@cache
def published() -> TradingCalendar:
    """Return the exchange calendar that ships with this package: 1990-12-19 to the end of the last announced year."""
    text = _CLOSURES.read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    _, *bounds = lines[0]
    first, last = map(date.fromisoformat, bounds)
    closed = {date.fromisoformat(f"{year}-{day}") for year, *days in lines[1:] for day in days}
    span = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return TradingCalendar.from_days((day for day in span if day.weekday() < 5 and day not in closed), first, last)


def shanghai() -> TradingCalendar:
    """Return the exchange calendar in force: the published one and this installation's extension of it.

    Do not cache the result in a long-lived process: the calendar may be extended. See `trading_calendar`.
    """
    return _provider()


def provide(provider: Callable[[], TradingCalendar]) -> None:
    """Set the provider of `shanghai`: this package itself reads no settings and no files of an installation."""
    global _provider
    _provider = provider


_provider: Callable[[], TradingCalendar] = published


def _shanghai_day(moment: datetime) -> date:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; use market.clock.now() or attach SHANGHAI.")
    return moment.astimezone(SHANGHAI).date()
