"""Cron expressions: the five standard fields (Monday is 1), their faults and their times."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LONGEST = 200
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True)
class CronField:
    """One of the five fields: its name, its range, and the names of its numbers."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


FIELDS = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day-of-month", 1, 31),
    CronField("month", 1, 12, _MONTHS),
    CronField("day-of-week", 0, 7, _WEEKDAYS),
)

#: Day of month and day of week: cron requires either, unless one of them begins with `*`.
_DAY_FIELDS = (2, 4)


class CronFault(NamedTuple):
    """A fault of an expression, with the offset and length of its part."""

    message: str
    hint: str
    offset: int
    length: int


@lru_cache(maxsize=4096)
def cron_fault(expression: str) -> CronFault | None:
    """Return the fault of a cron expression, with all wrong fields in one message; None when it is valid.

    Examples:
        >>> cron_fault("30 16 * * 1-5") is None
        True
        >>> cron_fault("0 25 * * *").message
        'hour 25 is outside 0-23'
    """
    pieces = list(re.finditer(r"\S+", expression))
    whole = (0, max(1, len(expression)))
    if len(expression) > _LONGEST:
        return CronFault(f"a cron expression of {len(expression)} characters", f"At most {_LONGEST}.", *whole)
    if nickname := _NICKNAMES.get(expression.strip().lower()):
        return CronFault(f"{expression.strip()} is not one of the five fields", f"Write {nickname!r}.", *whole)
    if len(pieces) != len(FIELDS):
        return CronFault(
            f"a cron expression has five fields, found {len(pieces)}",
            "minute hour day-of-month month day-of-week, such as '30 16 * * 1-5'.",
            *whole,
        )
    faults, allowed = [], []
    for field, piece in zip(FIELDS, pieces, strict=True):
        values: set[int] = set()
        allowed.append(values)
        faults += [(text, field, piece) for text in _field_faults(field, piece.group(), values)]
    if faults:
        _, field, piece = faults[0]
        hint = f"{field.name.capitalize()} is {_range(field)}: *, 5, 1-5, */5 or 1,3,5."
        return CronFault("; ".join(text for text, _, _ in faults), hint, piece.start(), len(piece.group()))
    return _days_fault(pieces, allowed)


def canonical(expression: str) -> str:
    """Rewrite a valid cron expression so that Dagster reads it as cron does.

    A day field that begins with `*` and covers all days becomes `*`, such as `*/1`. A day of month that no listed month
    has, which Dagster refuses, becomes `*` beside a day of week. `9-9`, which Dagster reads as every hour, becomes 9;
    `4/3`, from which it omits Sunday, becomes `4,7`.

    Examples:
        >>> canonical("0  16 1 * */1"), canonical("0 0 30 2 1"), canonical("0 9-9 * * mon-mon")
        ('0 16 1 * *', '0 0 * 2 1', '0 9 * * 1')
    """
    texts = [_with_numbers(index, text) for index, text in enumerate(expression.split())]
    for index in _DAY_FIELDS:
        if _is_every_day(index, texts[index]):
            texts[index] = "*"
    if texts[4] != "*" and _never(_values(2, texts[2]), _values(3, texts[3])):
        texts[2] = "*"
    return " ".join(texts)


def either_day(expression: str) -> bool:
    """Return whether a valid cron expression restricts both day fields; it then fires when either of them fits.

    Examples:
        >>> [either_day(text) for text in ("0 16 13 * 5", "0 16 13 * *", "0 16 13 * */1")]
        [True, False, False]
    """
    texts = canonical(expression).split()
    return all(texts[index] != "*" for index in _DAY_FIELDS)


@dataclass(frozen=True)
class CronTimes:
    """The times of a valid expression: minutes and hours of the day, ascending, and which days fit."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    @classmethod
    def of(cls, expression: str) -> "CronTimes":
        """Return the times of an expression."""
        texts = canonical(expression).split()
        minutes, hours, days, months, weekdays = (_values(index, text) for index, text in enumerate(texts))
        return cls(
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(day % 7 for day in weekdays),
            either=either_day(expression),
        )

    def fits(self, day: date) -> bool:
        """Return whether the expression fires on a day."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.either else all(fits)


def _values(index: int, text: str) -> set[int]:
    values: set[int] = set()
    list(_field_faults(FIELDS[index], text, values))
    return values


def _with_numbers(index: int, text: str) -> str:
    """Return a field with numbers in place of parts that Dagster reads differently from cron."""
    parts = []
    for part in text.split(","):
        values = sorted(_values(index, part))
        differs = part[0] != "*" and (("-" in part and len(values) == 1) or ("/" in part and "-" not in part))
        parts.append(",".join(map(str, values)) if differs else part)
    return ",".join(parts)


def _never(days: set[int], months: set[int]) -> bool:
    return min(days) > max(_LONGEST_MONTHS[month - 1] for month in months)


def _is_every_day(index: int, text: str) -> bool:
    """Return whether a day field begins with `*` and covers all days."""
    is_weekday = FIELDS[index].names is _WEEKDAYS
    days = {day % 7 for day in _values(index, text)} if is_weekday else _values(index, text)
    return text.startswith("*") and len(days) == (7 if is_weekday else FIELDS[index].high)


def _days_fault(pieces: list[re.Match[str]], allowed: list[set[int]]) -> CronFault | None:
    """Return the fault of the two day fields together."""
    stepped = [index for index in _DAY_FIELDS if pieces[index].group().startswith("*")]
    if stepped and not any(_is_every_day(index, pieces[index].group()) for index in _DAY_FIELDS):
        field, piece = FIELDS[stepped[0]], pieces[stepped[0]]
        last = 6 if field.names is _WEEKDAYS else field.high
        return CronFault(
            f"{field.name} {piece.group()} beside another day field: cron requires both, Dagster either",
            f"Write {field.low}-{last}{piece.group()[1:]} to fire when either fits, or make one of the two *.",
            piece.start(),
            len(piece.group()),
        )
    if _never(allowed[2], allowed[3]) and _is_every_day(4, pieces[4].group()):
        piece = pieces[2]
        message = f"no such month has a day {min(allowed[2])}: this never fires"
        return CronFault(message, "Choose another day or month.", piece.start(), len(piece.group()))
    return None


def _field_faults(field: CronField, text: str, values: set[int]) -> Iterator[str]:
    """Yield the faults of one field, and add its numbers to `values`."""
    for part in text.split(","):
        base, slash, step_text = part.partition("/")
        step = int(step_text) if step_text.isascii() and step_text.isdigit() else 0
        if slash and not 1 <= step <= field.high - field.low:
            yield f"{field.name} step {step_text or '(nothing)'} is outside 1-{field.high - field.low}"
            continue
        first_text, dash, last_text = base.partition("-")
        if base == "*":
            first, last = field.low, field.high
        else:
            first = _number(field, first_text)
            last = _number(field, last_text, end=True) if dash else field.high if slash else first
        invalid = next((text for number, text in ((first, first_text), (last, last_text)) if number is None), None)
        if invalid is not None and invalid.isascii() and invalid.isdigit():
            yield f"{field.name} {invalid} is outside {_range(field)}"
        elif invalid is not None:
            yield f"{field.name} {part!r} cannot be read"
        elif first is not None and last is not None and first > last:
            yield f"{field.name} {base} runs backwards"
        elif first is not None and last is not None:
            values.update(range(first, last + 1, step or 1))


def _number(field: CronField, text: str, *, end: bool = False) -> int | None:
    """Return the number of a text; None when the field does not allow it. Sunday at the end of a range is 7."""
    if text.lower() in field.names:
        number = field.names.index(text.lower()) + (field.low if field.name == "month" else 0)
        return 7 if end and number == 0 and field.names is _WEEKDAYS else number
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    return int(text) if field.low <= int(text) <= field.high else None


def _range(field: CronField) -> str:
    if field.names is _WEEKDAYS:
        return "0-7 (1 is Monday, 0 and 7 are Sunday)"
    return f"{field.low}-{field.high}"
