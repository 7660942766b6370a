"""Whether the trading calendar reaches far enough: said alike by health, doctor, Dagster's check and `mystocks calendar`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import TRADING_CALENDAR
from mystocks_dagster.trading_calendar.in_force import InForce

#: Amber from so many days before the end.
NEAR_DAYS = 30
#: The exchanges have published the next year's days by then, at the latest.
PUBLISHED_BY = (12, 24)
_WEEK = timedelta(days=7)

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Outlook:
    """How the calendar stands.

    Attributes:
        level: `warning` from 30 days before its end; `error` when the days after it have been published for a week, or
            the
            user's file is wrong.
        detail: What was found.
        remedy: What to do; empty when there is nothing to do.
    """

    level: Level
    detail: str
    remedy: str = ""


def outlook(known: InForce, moment: datetime) -> Outlook:
    """Judge the calendar at that moment."""
    left = known.calendar.coverage_days_left(moment)
    said = [f"trading days are known until {known.calendar.last} ({left} days from today), from {known.stands_on}"]
    if left < 0:
        said.append("weekdays are taken for trading days, and backfills are refused")
    said += [*known.errors, *known.notes]
    if known.record.error and known.record.asked_at:
        said.append(f"{known.record.asked}, asked {known.record.asked_at:%Y-%m-%d %H:%M}: {known.record.error}")
    level = _level(known, left, moment)
    return Outlook(level, "; ".join(said), _remedy(known, level, left))


def _level(known: InForce, left: int, moment: datetime) -> Level:
    if known.errors:
        return "error"
    if left > NEAR_DAYS:
        return "warning" if known.notes or known.record.refused_since else "ok"
    since = published_since(known)
    return "error" if moment.astimezone(SHANGHAI).date() >= since + _WEEK else "warning"


def published_since(known: InForce) -> date:
    """Return since when the days after the calendar's end are published.

    The exchanges announce a year's days in the second half of December before it: 24 December at the latest. A source
    that
    stated days beyond the end, and was refused, shows that it was earlier.
    """
    rule = date((known.calendar.last + timedelta(days=1)).year - 1, *PUBLISHED_BY)
    seen, until = known.record.refused_since, known.record.refused_until
    return min(rule, seen.astimezone(SHANGHAI).date()) if seen and until and until > known.calendar.last else rule


def _remedy(known: InForce, level: Level, left: int) -> str:
    if known.errors:
        return "mend the file that the message names, then: mystocks calendar"
    if level == "ok":
        return ""
    if left > NEAR_DAYS:
        return "mystocks calendar --refresh"
    return f"mystocks calendar --refresh; while no source knows more, write the trading days into {TRADING_CALENDAR} (docs/calendar.md)"
