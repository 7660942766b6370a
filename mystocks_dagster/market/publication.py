"""When the rows of a trading day are published, and which day is the newest published one."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time

from mystocks_dagster.market.calendar import CLOSE, DATA_READY, TradingCalendar, shanghai
from mystocks_dagster.market.clock import SHANGHAI

_FORM = re.compile(r"(?:\+([1-9]) )?([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class Publication:
    """The time from which the rows of a trading day can be expected, in Shanghai.

    Attributes:
        at: Time of day.
        later: Number of trading days between the day itself and its publication: 0 is the same day.
    """

    at: time = DATA_READY
    later: int = 0

    @classmethod
    def parse(cls, text: str) -> "Publication":
        """Read `17:30` (the same day), or `+1 09:00` (the next trading day).

        Raises:
            ValueError: The text has another form.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is neither a time of day, such as 17:30, nor one of a later day: +1 09:00")
        return cls(time(int(match[2]), int(match[3])), int(match[1] or 0))

    def __str__(self) -> str:
        return f"+{self.later} {self.at:%H:%M}" if self.later else f"{self.at:%H:%M}"

    def newest(self, moment: datetime, calendar: TradingCalendar | None = None) -> date:
        """Return the newest trading day whose rows are published at `moment` (aware)."""
        calendar = calendar or shanghai()
        day, _ = calendar.probable_latest_closed(moment, self.at)
        for _ in range(self.later):
            day = _session_before(day, calendar)
        return day

    def moment(self, day: date, calendar: TradingCalendar | None = None) -> datetime:
        """Return the time at which the rows of the trading day `day` are published."""
        calendar = calendar or shanghai()
        for _ in range(self.later):
            day = _session_after(day, calendar)
        return datetime.combine(day, self.at, SHANGHAI)

    def awaited(self, moment: datetime) -> datetime | None:
        """Return the time of today's publication if the session of today is over and its rows are not published.

        None at any other moment, and if a day is published on a later day.
        """
        local = moment.astimezone(SHANGHAI)
        if self.later or not CLOSE <= local.time() < self.at or not shanghai().is_probable_session(local.date())[0]:
            return None
        return datetime.combine(local.date(), self.at, SHANGHAI)


#: Vendors have the day's bars half an hour after the close.
AFTER_THE_CLOSE = Publication()


def _session_before(day: date, calendar: TradingCalendar) -> date:
    return calendar.probable_latest_closed(datetime.combine(day, time(), SHANGHAI))[0]


def _session_after(day: date, calendar: TradingCalendar) -> date:
    later = day.fromordinal(day.toordinal() + 1)
    while not calendar.is_probable_session(later)[0]:
        later = day.fromordinal(later.toordinal() + 1)
    return later
