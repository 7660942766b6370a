"""A day as people write it: 2026-11-27, 20261127 or 2026/11/27."""

import re
from datetime import date, datetime

from mystocks_dagster.errors import InvalidParams

#: The years that a day may have: before and after them a storage or a calculation with days would overflow.
YEARS = range(1970, 2201)

_WRITTEN = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|(\d{2})(\d{2}))", re.ASCII)


def read_day(written: object) -> date:
    """Return the day that a text or a number such as 20261127 means.

    Raises:
        InvalidParams: It is none, or its year is not one of `YEARS`.
    """
    day = parse_day(written)
    check_year(day)
    return day


def parse_day(written: object) -> date:
    """Return the day of any year; a number is never taken for a time in seconds.

    Raises:
        InvalidParams: It is no day.

    Examples:
        >>> parse_day("2026-11-27") == parse_day("2026/11/27") == parse_day(20261127) == parse_day("20261127")
        True
    """
    if isinstance(written, date) and not isinstance(written, datetime):
        return written
    match = _WRITTEN.fullmatch(str(written).strip())
    try:
        day = date(*map(int, filter(None, match.groups()))) if match else None
    except ValueError:  # such as 31 February
        day = None
    if day is None:
        raise InvalidParams(f"{str(written)[:40]!r} is not a day. Write it like 2026-11-27 or 20261127.")
    return day


def check_year(day: date) -> None:
    """Raise InvalidParams if the year is not one of `YEARS`."""
    if day.year not in YEARS:
        raise InvalidParams(f"{day}: year {day.year} is out of range ({YEARS[0]}-{YEARS[-1]}).")


def day_or_none(written: object) -> object:
    """Return the day as `read_day` does, for a field of pydantic; None for None and an empty text.

    Raises:
        ValueError: It is not a day.
    """
    if written is None or written == "":
        return None
    try:
        return read_day(written)
    except InvalidParams as error:
        raise ValueError(str(error)) from None
