"""Parsing of times: a date, a time, or how long ago."""

import re
from datetime import datetime, time, timedelta

from mystocks_dagster.days import read_day
from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.clock import SHANGHAI, now

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, *, end: bool = False) -> datetime:
    """Parse a time.

    Args:
        text: `7d`, `12h`, `30m` or `2w` ago; a date; or a date and time, in Shanghai unless it has an offset.
        end: Whether a date means the end of its day.

    Raises:
        InvalidParams: The text is none of these, or its year is out of range.

    Examples:
        >>> parse_time("2025-04-07", end=True).isoformat()
        '2025-04-08T00:00:00+08:00'
    """
    try:
        if ago := re.fullmatch(r"([0-9]{1,7})\s*([mhdw])", text.strip()):
            return _in_range(text, now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        if re.fullmatch(r"[0-9]{4}(-[0-9]+-[0-9]+|/[0-9]+/[0-9]+|[0-9]{4})", text.strip()):
            midnight = datetime.combine(read_day(text), time(), SHANGHAI)
            return _in_range(text, midnight + timedelta(days=1) if end else midnight)
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError, InvalidParams):
        raise InvalidParams(
            f"{text!r} is not a time. Write 7d, 12h, 2025-04-07 or 2025-04-07T16:00:00+08:00."
        ) from None
    return _in_range(text, moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI))


def _in_range(text: str, moment: datetime) -> datetime:
    """Check that the storages can compare the time."""
    if not 1971 <= moment.year <= 2100:
        raise InvalidParams(f"{text!r}: year {moment.year} is out of range (1971-2100).")
    return moment
