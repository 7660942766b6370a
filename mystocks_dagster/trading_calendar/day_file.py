"""Reader of trading-day files: a list of days, days with a flag, or the closures of each year, as the package has."""

import csv
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.plain_files import read_plain
from mystocks_dagster.trading_calendar.statement import Statement

_DATE_NAMES = frozenset({"date", "day", "trade_date", "cal_date", "calendar_date", "日期", "交易日", "交易日期"})
_FLAG_NAMES = frozenset({"is_open", "open", "is_trading_day", "trading", "session", "是否交易日", "是否开市"})
_FLAGS = {"1": True, "open": True, "yes": True, "true": True, "0": False, "closed": False, "no": False, "false": False}
_DATE = re.compile(r"(\d{4})([-/]?)(\d{1,2})\2(\d{1,2})")
_YEARS = (1990, 2100)
_MAX_BYTES = 5_000_000
_DAY = timedelta(days=1)

Line = tuple[int, list[str]]


def read_days(path: Path) -> Statement:
    """Read a file of trading days; `docs/calendar.md` describes its formats.

    Raises:
        SettingsError: The file cannot be read, or a line is wrong; the message names file and line.
    """
    lines = list(_lines(path, _text(path)))
    if not lines:
        raise SettingsError(f"{path} contains no trading day.")
    return _closures(path, lines) if lines[0][1][0] == "covers" else _days(path, lines)


def _text(path: Path) -> str:
    try:
        content = read_plain(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > _MAX_BYTES:
        raise SettingsError(f"{path} has {len(content):,} bytes; a file of trading days has at most {_MAX_BYTES:,}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: the line is not UTF-8 text; save the file as UTF-8.") from None


def _lines(path: Path, text: str) -> Iterator[Line]:
    """Yield number and fields of each line with content; commas, semicolons, tabs or blanks separate fields."""
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if "\0" in content:
            raise SettingsError(f"{path}:{number}: the line holds a NUL byte, so the file is not text.")
        if content:
            separator = next((sign for sign in ",;\t" if sign in content), None)
            fields = next(csv.reader([content], delimiter=separator)) if separator else content.split()
            yield number, [field.strip().strip('"') for field in fields]


def _closures(path: Path, lines: list[Line]) -> Statement:
    """Read `covers FIRST LAST`, then each year's weekdays without trading: `2027 01-01 02-05`."""
    number, (_, *bounds) = lines[0]
    if len(bounds) != 2:
        raise SettingsError(
            f"{path}:{number}: `covers` needs the first and the last day, such as: covers 2027-01-01 2027-12-31"
        )
    first, last = (_date(path, number, text) for text in bounds)
    if first > last:
        raise SettingsError(f"{path}:{number}: {first} is after {last}.")
    closed = {}
    for number, (year, *days) in lines[1:]:
        for text in days:
            day = _date(path, number, f"{year}-{text}")
            if not first <= day <= last:
                raise SettingsError(f"{path}:{number}: {day} is outside {first} to {last}, which the file covers.")
            closed[day] = f"{path}:{number}"
    span = (first + _DAY * n for n in range((last - first).days + 1))
    sessions = frozenset(day for day in span if day.weekday() < 5 and day not in closed)
    return Statement(first, last, sessions, closed)


def _days(path: Path, lines: list[Line]) -> Statement:
    """Read one day a line, with an optional flag that says whether it is a trading day."""
    date_column, flag_column = 0, 1
    if heading := _heading(lines[0][1]):
        date_column, flag_column = heading
        lines = lines[1:]
    stated: dict[date, bool] = {}
    places: dict[date, str] = {}
    for number, fields in lines:
        if len(fields) <= date_column:
            raise SettingsError(f"{path}:{number}: the line has no date.")
        day = _date(path, number, fields[date_column])
        flag = fields[flag_column] if 0 <= flag_column < len(fields) else ""
        is_open = _flag(path, number, flag) if flag else True
        if stated.setdefault(day, is_open) != is_open:
            raise SettingsError(
                f"{path}:{number}: {day} is stated both as a trading day and as closed; see {places[day]}."
            )
        places[day] = f"{path}:{number}"
    if not any(stated.values()):
        raise SettingsError(f"{path} contains no trading day.")
    return Statement(min(stated), max(stated), frozenset(day for day, is_open in stated.items() if is_open), places)


def _heading(fields: list[str]) -> tuple[int, int] | None:
    """Return the columns of the date and of the flag (-1 without one) when the line is a header."""
    names = [field.lower() for field in fields]
    date_column = next((index for index, name in enumerate(names) if name in _DATE_NAMES), None)
    if date_column is None:
        return None
    return date_column, next((index for index, name in enumerate(names) if name in _FLAG_NAMES), -1)


def _flag(path: Path, number: int, text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise SettingsError(
            f"{path}:{number}: {text!r} does not state whether it is a trading day; write 1 or open, 0 or closed."
        )
    return _FLAGS[text.lower()]


def _date(path: Path, number: int, text: str) -> date:
    match = _DATE.fullmatch(text)
    try:
        day = date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        day = None
    if day is None:
        raise SettingsError(f"{path}:{number}: {text!r} is not a date; write it like 2027-01-04 or 20270104.")
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise SettingsError(f"{path}:{number}: the year of {day} is out of range ({_YEARS[0]}-{_YEARS[1]}).")
    return day
