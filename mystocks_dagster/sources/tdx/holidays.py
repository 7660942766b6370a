"""The exchanges' holidays out of 通达信's `needini.dat`: a line for each year, `Y36=2026,0101,0102,...`."""

import re
from datetime import date, timedelta

from mystocks_dagster.errors import SourceChanged

_LINE = re.compile(r"^Y\d*=(\d{4}),([\d,\s]*)$", re.MULTILINE)
_FEWEST = 5


def trading_days(content: bytes) -> list[date]:
    """Return the trading days of the years that the file lists without a gap up to its last one, ascending.

    A year that lists few holidays is not published yet, and is left out.

    Raises:
        SourceChanged: The file lists no year, or an entry is not a day.
    """
    years = {
        int(year): {entry.strip() for entry in days.split(",") if entry.strip()}
        for year, days in _LINE.findall(content.decode("gbk", errors="replace").replace("\r", ""))
    }
    published = sorted(year for year, days in years.items() if len(days) >= _FEWEST)
    if not published:
        raise SourceChanged("needini.dat lists the holidays of no year; its format has changed.")
    first = published[-1]
    while first - 1 in published:
        first -= 1
    days: list[date] = []
    for year in range(first, published[-1] + 1):
        closed = {_day(year, entry) for entry in years[year]}
        every = (date(year, 1, 1) + timedelta(days=n) for n in range(366))
        days += [day for day in every if day.year == year and day.weekday() < 5 and day not in closed]
    return days


def _day(year: int, entry: str) -> date:
    try:
        return date(year, int(entry[:2]), int(entry[2:]))
    except (ValueError, OverflowError):
        raise SourceChanged(f"needini.dat: {entry!r} in the line of {year} is not a day (MMDD).") from None
