"""A file that states trading days: a list of them, days with a flag, or closures by year as the package ships them."""

import csv
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.trading_calendar.statement import Statement

_DATE_NAMES = frozenset({"date", "day", "trade_date", "cal_date", "calendar_date", "日期", "交易日", "交易日期"})
_FLAG_NAMES = frozenset({"is_open", "open", "is_trading_day", "trading", "session", "是否交易日", "是否开市"})
_FLAGS = {"1": True, "open": True, "yes": True, "true": True, "0": False, "closed": False, "no": False, "false": False}
_DATE = re.compile(r"(\d{4})([-/]?)(\d{1,2})\2(\d{1,2})")
_YEARS = (1990, 2100)
_BIGGEST = 5_000_000
_DAY = timedelta(days=1)

Line = tuple[int, list[str]]


def read_days(path: Path) -> Statement:
    """Read a file of trading days; `docs/calendar.md` has its forms.

    Raises:
        SettingsError: It cannot be read, or a line is wrong; the message has file and line.
    """
    lines = list(_lines(path, _text(path)))
    if not lines:
        raise SettingsError(f"{path} holds no trading day.")
    return _closures(path, lines) if lines[0][1][0] == "covers" else _days(path, lines)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > _BIGGEST:
        raise SettingsError(f"{path} has {len(content):,} bytes; a file of trading days has some hundred thousand.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: this is not UTF-8 text; save the file as UTF-8.") from None


def _lines(path: Path, text: str) -> Iterator[Line]:
    """Yield number and fields of each line that has any; fields are split at commas, semicolons, tabs or blanks."""
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if "\0" in content:
            raise SettingsError(f"{path}:{number}: this is not text.")
        if content:
            mark = next((mark for mark in ",;\t" if mark in content), None)
            fields = next(csv.reader([content], delimiter=mark)) if mark else content.split()
            yield number, [field.strip().strip('"') for field in fields]


def _closures(path: Path, lines: list[Line]) -> Statement:
    """Read `covers FIRST LAST`, then the weekdays without trading of each year: `2027 01-01 02-05`."""
    number, (_, *bounds) = lines[0]
    if len(bounds) != 2:
        raise SettingsError(
            f"{path}:{number}: write `covers` with the first and the last day, such as: covers 2027-01-01 2027-12-31"
        )
    first, last = (_date(path, number, text) for text in bounds)
    if first > last:
        raise SettingsError(f"{path}:{number}: {first} is after {last}.")
    closed = {}
    for number, (year, *days) in lines[1:]:
        for text in days:
            day = _date(path, number, f"{year}-{text}")
            if not first <= day <= last:
                raise SettingsError(f"{path}:{number}: {day} lies outside {first} to {last}, which the file covers.")
            closed[day] = f"{path}:{number}"
    span = (first + _DAY * n for n in range((last - first).days + 1))
    return Statement(first, last, frozenset(day for day in span if day.weekday() < 5 and day not in closed), closed)


def _days(path: Path, lines: list[Line]) -> Statement:
    """Read one day a line, with or without a flag that says whether it is a trading day."""
    at, flag_at = 0, 1
    if heading := _heading(lines[0][1]):
        at, flag_at = heading
        lines = lines[1:]
    stated: dict[date, bool] = {}
    places: dict[date, str] = {}
    for number, fields in lines:
        if len(fields) <= at:
            raise SettingsError(f"{path}:{number}: the line has no date.")
        day = _date(path, number, fields[at])
        trades = _flag(path, number, fields[flag_at]) if 0 <= flag_at < len(fields) and fields[flag_at] else True
        if stated.setdefault(day, trades) != trades:
            raise SettingsError(
                f"{path}:{number}: {day} is stated both as a trading day and as none; see {places[day]}."
            )
        places[day] = f"{path}:{number}"
    if not any(stated.values()):
        raise SettingsError(f"{path} holds no trading day.")
    return Statement(min(stated), max(stated), frozenset(day for day, trades in stated.items() if trades), places)


def _heading(fields: list[str]) -> tuple[int, int] | None:
    """Return the columns of the date and of the flag (-1 without one) when the line names columns."""
    names = [field.lower() for field in fields]
    at = next((index for index, name in enumerate(names) if name in _DATE_NAMES), None)
    if at is None:
        return None
    return at, next((index for index, name in enumerate(names) if name in _FLAG_NAMES), -1)


def _flag(path: Path, number: int, text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise SettingsError(
            f"{path}:{number}: {text!r} does not say whether it is a trading day; write 1 or open, 0 or closed."
        )
    return _FLAGS[text.lower()]


def _date(path: Path, number: int, text: str) -> date:
    found = _DATE.fullmatch(text)
    try:
        day = date(int(found[1]), int(found[3]), int(found[4])) if found else None
    except ValueError:
        day = None
    if day is None:
        raise SettingsError(f"{path}:{number}: {text!r} is not a date; write it like 2027-01-04 or 20270104.")
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise SettingsError(f"{path}:{number}: {day} lies outside {_YEARS[0]} to {_YEARS[1]}.")
    return day
