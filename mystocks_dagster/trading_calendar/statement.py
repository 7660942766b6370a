"""A statement of trading days, and the checks of its plausibility."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from mystocks_dagster.market.calendar import TradingCalendar, is_holiday

_DAY = timedelta(days=1)
#: The longest gap between two trading days since 1997; a list with a longer one lacks days.
_LONGEST_GAP = timedelta(days=16)
#: Spring Festival begins between these days; the shortest gap between trading days around it.
_FESTIVAL_FROM, _FESTIVAL_TO = (1, 15), (3, 1)
_FESTIVAL_GAP = timedelta(days=6)
#: Since 1999 the exchanges have traded on 237 to 246 days a year, and closed on at most 26 weekdays.
_FEWEST, _MOST = 235, 250
_MOST_CLOSED = 26
#: Earliest last trading day of a year.
_YEAR_ENDS = (12, 28)


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
        """Return the statement of a list of trading days, which covers its first to its last entry.

        Raises:
            ValueError: The list is empty.
        """
        stated = frozenset(days)
        if not stated:
            raise ValueError("the list has no trading day")
        return cls(min(stated), max(stated), stated)

    def joined_to(self, known: TradingCalendar) -> "Statement":
        """Return the statement extended back to the day after the end of `known`, if the gap is a few days.

        A list of the trading days of 2027 begins with the first one; the days before it are the New Year holiday.
        """
        after = known.last + _DAY
        if after < self.first <= after + _LONGEST_GAP:
            return Statement(after, self.last, self.days, self.places)
        return self

    def contradictions(self, known: TradingCalendar) -> list[date]:
        """Return the days, ascending, on which the statement and `known` differ."""
        first, last = max(self.first, known.first), min(self.last, known.last)
        if first > last:
            return []
        common = {day for day in self.days if first <= day <= last}
        return sorted(common.symmetric_difference(known.sessions(first, last)))

    def faults(self, known: TradingCalendar) -> Iterator[str]:
        """Yield why the days beyond the end of `known` cannot be the exchanges' calendar."""
        if self.last <= known.last:
            return
        if self.first > known.last + _DAY:
            yield f"nothing is stated about {known.last + _DAY} to {self.first - _DAY}"
            return
        further = sorted(day for day in self.days if day > known.last)
        for day in further:
            if day.weekday() >= 5:
                yield self._at(day, f"{day} is a {day:%A}, and the exchanges do not trade at weekends")
            elif is_holiday(day):
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
            gaps = [(before, after) for before, after in pairs if after - before >= _FESTIVAL_GAP]
            if not any(begins <= after and before <= ends for before, after in gaps):
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
                message = f"{span} has {count} trading days and {closures}; a year has {_FEWEST} to {_MOST}"
                yield f"{place}: {message}" if place else message

    def _at(self, day: date, message: str) -> str:
        place = self.places.get(day)
        return f"{place}: {message}" if place else message


def _last_session(known: TradingCalendar) -> date:
    return known.previous(known.last + _DAY)
