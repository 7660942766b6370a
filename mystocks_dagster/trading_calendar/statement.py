"""What somebody states about trading days, and whether it can be true."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from mystocks_dagster.market.calendar import TradingCalendar

_DAY = timedelta(days=1)
#: The exchanges are closed on these days in every year.
_HOLIDAYS = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})
#: Since 1997 no two trading days lay further apart; a list in which they do lacks days.
_LONGEST_GAP = timedelta(days=16)
#: Spring Festival begins between these days, and the exchanges have closed for at least so long each time.
_FESTIVAL_FROM, _FESTIVAL_TO = (1, 15), (3, 1)
_FESTIVAL_GAP = timedelta(days=6)
#: Since 1999 the exchanges have traded on 237 to 246 days a year, and closed on fewer weekdays than this.
_FEWEST, _MOST = 235, 250
_MOST_CLOSED = 26
#: The last trading day of a year is never earlier.
_YEAR_ENDS = (12, 28)
_SHOWN = 5


@dataclass(frozen=True)
class Statement:
    """Every day from `first` to `last`: those in `days` are trading days, the others are not.

    Attributes:
        places: Where a day is stated, such as `calendar.csv:12`, for messages.
    """

    first: date
    last: date
    days: frozenset[date]
    places: Mapping[date, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, days: Iterable[date]) -> "Statement":
        """Make a statement of a list of trading days: it is about the days from its first entry to its last one.

        Raises:
            ValueError: The list is empty.
        """
        stated = frozenset(days)
        if not stated:
            raise ValueError("it holds no trading day")
        return cls(min(stated), max(stated), stated)

    def joined_to(self, known: TradingCalendar) -> "Statement":
        """Return the statement from the day after the end of `known` on, where it begins a few days after that.

        A list of the trading days of 2027 begins with the first one; what lies before it is New Year.
        """
        after = known.last + _DAY
        if after < self.first <= after + _LONGEST_GAP:
            return Statement(after, self.last, self.days, self.places)
        return self

    def contradictions(self, known: TradingCalendar) -> list[date]:
        """Return the days, ascending, of which `known` says something else."""
        first, last = max(self.first, known.first), min(self.last, known.last)
        if first > last:
            return []
        here = {day for day in self.days if first <= day <= last}
        return sorted(here.symmetric_difference(known.sessions(first, last)))

    def faults(self, known: TradingCalendar) -> Iterator[str]:
        """Yield why what is stated beyond the end of `known` cannot be the exchanges' calendar."""
        if self.last <= known.last:
            return
        if self.first > known.last + _DAY:
            yield f"nothing is said about {known.last + _DAY} to {self.first - _DAY}"
            return
        further = sorted(day for day in self.days if day > known.last)
        for day in further:
            if day.weekday() >= 5:
                yield self._at(day, f"{day} is a {day:%A}, and the exchanges do not trade at weekends")
            elif (day.month, day.day) in _HOLIDAYS:
                yield self._at(day, f"{day} is a public holiday in every year")
        yield from self._gaps([_last_session(known), *further])
        yield from self._counts([*known.sessions(known.first, known.last), *further], (known.last + _DAY).year)

    def _gaps(self, sessions: list[date]) -> Iterator[str]:
        pairs = list(zip(sessions, [*sessions[1:], self.last + _DAY], strict=True))
        for before, after in pairs:
            if after - before > _LONGEST_GAP:
                yield self._at(after, f"there is no trading day between {before} and {after}: days are missing")
        for year in range(sessions[0].year, self.last.year + 1):
            begins, ends = date(year, *_FESTIVAL_FROM), date(year, *_FESTIVAL_TO)
            if not sessions[0] <= begins < ends <= self.last:
                continue
            if not any(
                begins <= after and before <= ends and after - before >= _FESTIVAL_GAP for before, after in pairs
            ):
                yield f"{year} has no Spring Festival: weekdays are stated, not the exchanges' days"

    def _counts(self, sessions: list[date], first_year: int) -> Iterator[str]:
        for year in range(first_year, self.last.year + 1):
            begins, ends = date(year, 1, 1), min(date(year, 12, 31), self.last)
            count = sum(begins <= day <= ends for day in sessions)
            closed = sum((begins + _DAY * n).weekday() < 5 for n in range((ends - begins).days + 1)) - count
            whole = ends >= date(year, *_YEAR_ENDS)
            if closed > _MOST_CLOSED or (whole and not _FEWEST <= count <= _MOST):
                span = f"{year}" if whole else f"{year} up to {ends}"
                closures = f"{closed} weekdays without trading"
                place = self.places.get(min((day for day in self.places if day.year == year), default=begins))
                what = (
                    f"{span} has {count} trading days and {closures}, and a year has {_FEWEST} to {_MOST} trading days"
                )
                yield f"{place}: {what}" if place else what

    def _at(self, day: date, what: str) -> str:
        place = self.places.get(day)
        return f"{place}: {what}" if place else what


def listed(days: list[date]) -> str:
    """Return a few of the days for a message."""
    shown = ", ".join(map(str, days[:_SHOWN]))
    return shown if len(days) <= _SHOWN else f"{shown} and {len(days) - _SHOWN} more"


def _last_session(known: TradingCalendar) -> date:
    return known.previous(known.last + _DAY)
