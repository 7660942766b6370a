"""Whether the trading calendar reaches far enough: one rule for health, doctor, the check and `mystocks calendar`."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import TRADING_CALENDAR
from mystocks_dagster.trading_calendar.in_force import InForce

#: Days before the calendar's end from which on its level is `warning`.
NEAR_DAYS = 30
#: Month and day by which the exchanges have published the next year's days.
PUBLISHED_BY = (12, 24)
_WEEK = timedelta(days=7)

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Outlook:
    """The verdict on the calendar.

    Attributes:
        level: `warning` from 30 days before its end; `error` when the days after its end were published a week ago, or
            the user's file is wrong.
        detail: The end of the calendar, its origins and what is wrong with them.
        remedy: What to do; empty when there is nothing to do.
    """

    level: Level
    detail: str
    remedy: str = ""


def outlook(known: InForce, moment: datetime) -> Outlook:
    """Return the verdict on the calendar at a moment."""
    left = known.calendar.coverage_days_left(moment)
    days = "1 day" if abs(left) == 1 else f"{abs(left)} days"
    distance = f"{days} before today" if left < 0 else f"{days} from today"
    details = [f"trading days are known until {known.calendar.last} ({distance}), from {known.stands_on}"]
    if left < 0:
        details.append(
            "every weekday but 1 January, 1 May and 1 to 3 October counts as a trading day, and backfills are refused"
        )
    details += [*known.errors, *known.notes]
    if known.record.error and known.record.asked_at:
        details.append(
            f"{known.record.asked} was asked at {known.record.asked_at:%Y-%m-%d %H:%M}: {known.record.error}"
        )
    level = _level(known, left, moment)
    return Outlook(level, "; ".join(details), _remedy(known, level, left))


def _level(known: InForce, left: int, moment: datetime) -> Level:
    if known.errors:
        return "error"
    if left > NEAR_DAYS:
        return "warning" if known.notes or known.record.refused_since else "ok"
    since = published_since(known)
    return "error" if moment.astimezone(SHANGHAI).date() >= since + _WEEK else "warning"


def published_since(known: InForce) -> date:
    """Return the day by which the days after the calendar's end were published.

    The exchanges announce a year's days in the second half of the December before: by 24 December. A source that
    stated days beyond the end, and was refused, proves an earlier day.
    """
    by_rule = date((known.calendar.last + timedelta(days=1)).year - 1, *PUBLISHED_BY)
    refused, until = known.record.refused_since, known.record.refused_until
    if refused and until and until > known.calendar.last:
        return min(by_rule, refused.astimezone(SHANGHAI).date())
    return by_rule


def _remedy(known: InForce, level: Level, left: int) -> str:
    if known.errors:
        return "correct the file that the message names, then: mystocks calendar"
    if level == "ok":
        return ""
    if left > NEAR_DAYS:
        return "mystocks calendar --refresh"
    return (
        "mystocks calendar --refresh; if no source states further days, "
        f"write the trading days into {TRADING_CALENDAR} (docs/calendar.md)"
    )
