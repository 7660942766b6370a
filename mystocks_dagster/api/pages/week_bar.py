"""The last seven days of a task as a bar chart: each day's successes and failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.project.run_history import DayCounts
from mystocks_dagster.tags import SUCCESSES, State

DAYS = 7


@dataclass(frozen=True, kw_only=True)
class DayBar:
    """A day with its numbers of successes (also partial ones) and failures."""

    day: date
    good: int
    bad: int

    @property
    def good_share(self) -> float:
        """The share of successes from 0 to 1; 0 on a day without outcomes."""
        return self.good / (self.good + self.bad) if self.good else 0.0


def since() -> datetime:
    """Return the start of the first of the seven days, in Shanghai."""
    return datetime.combine(now().date() - timedelta(days=DAYS - 1), time(), SHANGHAI)


def week(counts: DayCounts) -> list[DayBar]:
    """Return the seven days up to today, the oldest first."""
    first = since().date()
    return [_bar(first + timedelta(days=number), counts) for number in range(DAYS)]


def _bar(day: date, counts: DayCounts) -> DayBar:
    of_day: Mapping[str, int] = counts.get(day, {})
    good = sum(of_day.get(status, 0) for status in SUCCESSES)
    return DayBar(day=day, good=good, bad=of_day.get(State.FAILED, 0))
