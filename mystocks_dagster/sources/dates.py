"""Parse days from text, numbers and moments in files; an ambiguous value is an error."""

import re
from datetime import date, datetime, time
from typing import Any

import polars as pl

from mystocks_dagster.market.clock import SHANGHAI

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0+)?")
_SEPARATED = re.compile(r"(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/|\.(\d{1,2})\.|年(\d{1,2})月)(\d{1,2})日?(?:[T ]\s*(\S.*))?")
#: From this time on a moment without a time zone is ambiguous: in UTC it is on the next day in Shanghai.
_UTC_MIDNIGHT = time(16)
_EPOCHS = (
    (10**17, "nanoseconds since 1970"),
    (10**14, "microseconds since 1970"),
    (10**11, "milliseconds since 1970"),
    (10**8, "seconds since 1970"),
    (10**4, "days since 1970 or a date of Excel"),
)


class AmbiguousDate(ValueError):
    """A value that is not a day or may be two days; the message gives the reason and the accepted forms."""


def days_expr(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression that reads a column as days.

    A moment with a time zone is converted to Shanghai. The number 20240301 is a day. Text is 2024-03-01, 2024/3/1 or
    20240301, with or without a time. Any other value raises `AmbiguousDate` when the expression is collected.
    """
    return pl.col(column) if dtype == pl.Date else pl.col(column).map_batches(_days, return_dtype=pl.Date)


def parse_day(value: Any) -> date | None:
    """Return the day of a value, or None if it is empty.

    Raises:
        AmbiguousDate: The value is not a day, or may be two days.
    """
    if value is None or value != value:
        return None
    if isinstance(value, datetime):
        return _of_moment(value)
    if isinstance(value, date):
        return value
    if isinstance(value, int | float):
        return _of_number(value)
    return _of_text(str(value).strip())


def _days(values: pl.Series) -> pl.Series:
    # A column holds few distinct days, each many times.
    distinct = values.drop_nulls().unique()
    days = pl.Series([parse_day(value) for value in distinct.to_list()], dtype=pl.Date)
    return values.replace_strict(distinct, days, default=None, return_dtype=pl.Date)


def _of_moment(value: datetime) -> date:
    if value.tzinfo is not None:
        return value.astimezone(SHANGHAI).date()
    if value.time() >= _UTC_MIDNIGHT:
        raise AmbiguousDate(
            f"{value} has no time zone: in UTC it is on the next day in Shanghai. "
            "Store dates, or moments with a time zone"
        )
    return value.date()


def _of_number(value: float) -> date:
    if 19000101 <= value <= 22001231 and value == int(value):
        text = f"{int(value)}"
        return _date(text, text[:4], text[4:6], text[6:])
    guess = next((f" (it looks like {what})" for least, what in _EPOCHS if value >= least), "")
    raise AmbiguousDate(f"{value} is not a day{guess}; write 2024-03-01 or 20240301, or store dates")


def _of_text(text: str) -> date | None:
    if not text:
        return None
    if match := _COMPACT.fullmatch(text):
        return _date(text, *match.groups())
    if match := _SEPARATED.fullmatch(text):
        year, *months, day, clock = match.groups()
        parsed = _date(text, year, next(month for month in months if month), day)
        return _of_moment(_moment(text, parsed, clock)) if clock else parsed
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return _of_number(float(text) if "." in text else int(text))
    raise AmbiguousDate(f"{text!r} is not a day; write 2024-03-01 or 20240301")


def _moment(text: str, day: date, clock: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        raise AmbiguousDate(
            f"{text!r} has a time that cannot be read; write 2024-03-01, or 2024-03-01T15:00:00+08:00"
        ) from None


def _date(text: str, year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise AmbiguousDate(f"{text!r} is not a day; there is no day {day} of month {month} in {year}") from None
