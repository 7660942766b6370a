"""Times as people write them: a date, a time, or how long ago."""

import re
from datetime import date, datetime, time, timedelta

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.clock import SHANGHAI, now

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, *, end: bool = False) -> datetime:
    """Return the moment that a person means.

    Args:
        text: `7d`, `12h`, `30m` or `2w` ago; a date; or a date and time, in Shanghai unless it has an offset.
        end: A date stands for the end of its day.

    Raises:
        InvalidParams: It is none of these.

    Examples:
        >>> parse_time("2025-04-07", end=True).isoformat()
        '2025-04-08T00:00:00+08:00'
    """
    if ago := re.fullmatch(r"(\d{1,5})\s*([mhdw])", text.strip()):
        return now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip()):
            midnight = datetime.combine(date.fromisoformat(text.strip()), time(), SHANGHAI)
            return midnight + timedelta(days=1) if end else midnight
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise InvalidParams(f"{text!r} is no time. Write 7d, 12h, 2025-04-07 or 2025-04-07T16:00:00+08:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
