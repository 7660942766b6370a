"""Days as files hold them: text, numbers and moments; what could mean two days is an error that says so."""

import re
from datetime import date, datetime, time
from typing import Any

import polars as pl

from mystocks_dagster.market.clock import SHANGHAI

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0+)?")
_PARTED = re.compile(r"(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/|\.(\d{1,2})\.|年(\d{1,2})月)(\d{1,2})日?(?:[T ]\s*(\S.*))?")
#: Later times of day without a time zone may be of the next day in Shanghai, when they are meant in UTC.
_UTC_MIDNIGHT = time(16)
_EPOCHS = (
    (10**17, "nanoseconds since 1970"),
    (10**14, "microseconds since 1970"),
    (10**11, "milliseconds since 1970"),
    (10**8, "seconds since 1970"),
    (10**4, "days since 1970 or a date of Excel"),
)


class UnclearDay(ValueError):
    """A value from which no day can be told; the message says why and what to write."""


def days_expr(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return a column as days.

    A moment with a time zone is of Shanghai's day; 20240301 as a number is a day; text is 2024-03-01, 2024/3/1 or
    20240301, with or without a time. What cannot be read raises `UnclearDay` when it is collected.
    """
    return pl.col(column) if dtype == pl.Date else pl.col(column).map_batches(_days, return_dtype=pl.Date)


def day_of(value: Any) -> date | None:
    """Return the day that one value means; None when it is empty.

    Raises:
        UnclearDay: It could mean two days, or none.
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
    # A column holds few different days, each many times.
    different = values.drop_nulls().unique()
    read = pl.Series([day_of(value) for value in different.to_list()], dtype=pl.Date)
    return values.replace_strict(different, read, default=None, return_dtype=pl.Date)


def _of_moment(value: datetime) -> date:
    if value.tzinfo is not None:
        return value.astimezone(SHANGHAI).date()
    if value.time() >= _UTC_MIDNIGHT:
        raise UnclearDay(
            f"{value} has no time zone: in UTC it is of the next day in Shanghai. Store dates, or moments with a zone"
        )
    return value.date()


def _of_number(value: float) -> date:
    if 19000101 <= value <= 22001231 and value == int(value):
        text = f"{int(value)}"
        return _made(text, text[:4], text[4:6], text[6:])
    meant = next((f" (it looks like {what})" for least, what in _EPOCHS if value >= least), "")
    raise UnclearDay(f"{value} is not a day{meant}; write 2024-03-01 or 20240301, or store dates")


def _of_text(text: str) -> date | None:
    if not text:
        return None
    if found := _COMPACT.fullmatch(text):
        return _made(text, *found.groups())
    if found := _PARTED.fullmatch(text):
        year, *months, day, clock = found.groups()
        made = _made(text, year, next(month for month in months if month), day)
        return _of_moment(_moment(text, made, clock)) if clock else made
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return _of_number(float(text) if "." in text else int(text))
    raise UnclearDay(f"{text!r} is not a day; write 2024-03-01 or 20240301")


def _moment(text: str, day: date, clock: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        raise UnclearDay(
            f"{text!r} has a time that cannot be read; write 2024-03-01, or 2024-03-01T15:00:00+08:00"
        ) from None


def _made(text: str, year: str, month: str, day: str) -> date:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise UnclearDay(f"{text!r} is not a day; there is no day {day} of month {month} in {year}") from None
