"""The calendar in force: the published one, then the user's file, then a source's last statement."""

import threading
import time
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.excerpts import abbreviate
from mystocks_dagster.market.calendar import TradingCalendar, published
from mystocks_dagster.settings import Settings, calendar_key
from mystocks_dagster.trading_calendar import record
from mystocks_dagster.trading_calendar.day_file import read_days
from mystocks_dagster.trading_calendar.record import Record
from mystocks_dagster.trading_calendar.statement import Statement

#: Seconds after which the files are checked for changes.
_FRESH_SECONDS = 1.0
PACKAGE = "package"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One origin of the calendar.

    Attributes:
        name: `package`, the path of the user's file, or the name of a source.
        until: Last day that it states.
        fetched_at: When the source was asked; None for the package and the file.
    """

    name: str
    until: date
    fetched_at: datetime | None = None

    def __str__(self) -> str:
        if self.fetched_at:
            return f"{self.name} (to {self.until}, fetched {self.fetched_at:%Y-%m-%d %H:%M})"
        return f"{self.name} (to {self.until})"

    def to_json(self) -> dict[str, Any]:
        """Return the fields of `--json`."""
        return {
            "name": self.name,
            "until": self.until.isoformat(),
            "fetched_at": self.fetched_at.isoformat() if self.fetched_at else None,
        }


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The calendar and its origins.

    Attributes:
        calendar: The calendar.
        parts: Its origins, the most trusted first.
        errors: Mistakes that a person must correct, in the user's file.
        notes: Why a source or a stored statement is not used.
        record: The last request to a source, and its answer.
    """

    calendar: TradingCalendar
    parts: tuple[Part, ...]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    record: Record

    @property
    def stands_on(self) -> str:
        """Its origins in one line, for people."""
        return ", ".join(map(str, self.parts))


def combine(user_file: Path | None, stored: Record, damage: str = "") -> InForce:
    """Extend the published calendar by the user's file, then by a source's statement.

    A less trusted part never changes or shortens a more trusted one.
    """
    calendar = published()
    parts, errors, notes = [Part(name=PACKAGE, until=calendar.last)], [], [damage] if damage else []
    if user_file:
        calendar, more = _with_file(calendar, user_file, errors)
        parts += more
    statement = stored.statement
    if statement:
        calendar, more = _with_statement(calendar, statement, stored, notes)
        parts += more
    return InForce(calendar=calendar, parts=tuple(parts), errors=tuple(errors), notes=tuple(notes), record=stored)


def _with_file(calendar: TradingCalendar, path: Path, errors: list[str]) -> tuple[TradingCalendar, list[Part]]:
    try:
        statement = read_days(path).joined_to(calendar)
    except SettingsError as error:
        errors.append(str(error))
        return calendar, []
    if contradictions := statement.contradictions(calendar):
        where = statement.places.get(contradictions[0], str(path))
        days = abbreviate(contradictions, 5)
        errors.append(f"{where}: contradicts the published calendar about {days}; the file is not used.")
        return calendar, []
    if fault := next(statement.faults(calendar), None):
        message = fault if fault.startswith(str(path)) else f"{path}: {fault}"
        errors.append(f"{message}; the file is not used.")
        return calendar, []
    return calendar.extended(statement.days, statement.last), [Part(name=str(path), until=statement.last)]


def _with_statement(
    calendar: TradingCalendar, statement: Statement, stored: Record, notes: list[str]
) -> tuple[TradingCalendar, list[Part]]:
    if contradictions := statement.contradictions(published()):
        days = abbreviate(contradictions, 5)
        notes.append(f"{stored.source} contradicts the published calendar about {days}; it is not used.")
        return calendar, []
    if contradictions := statement.contradictions(calendar):
        days = abbreviate(contradictions, 5)
        notes.append(f"{stored.source} contradicts the trading calendar's file about {days}; the file is used.")
    if fault := next(statement.faults(calendar), None):
        notes.append(f"{stored.source}: {fault}; it is not used.")
        return calendar, []
    part = Part(name=stored.source, until=statement.last, fetched_at=stored.fetched_at)
    return calendar.extended(statement.days, statement.last), [part]


def in_force() -> InForce:
    """Return the calendar in force in this process; a change of its files takes effect within a second.

    Raises:
        SettingsError: An environment variable holds an invalid value.
    """
    key = calendar_key()
    cached = _cache.get(key)
    if cached and time.monotonic() < cached.fresh_until:
        return cached.calendar
    with _lock:
        settings = Settings.from_env()
        files = (settings.trading_calendar, _state(settings.trading_calendar), _state(record.path_of(settings)))
        cached = _cache.get(key)
        calendar = cached.calendar if cached and cached.files == files else _load(settings)
        _cache.clear()
        _cache[key] = _Cached(calendar, files, time.monotonic() + _FRESH_SECONDS)
    return calendar


def clear_cache() -> None:
    """Read the files again at the next call of `in_force`, after this process has written one of them."""
    _cache.clear()


@dataclass(frozen=True)
class _Cached:
    calendar: InForce
    files: tuple[Any, ...]
    fresh_until: float


_cache: dict[tuple[str | None, ...], _Cached] = {}
_lock = threading.Lock()


def _load(settings: Settings) -> InForce:
    try:
        return combine(settings.trading_calendar, record.read(settings))
    except record.Damaged as error:
        return combine(settings.trading_calendar, Record(), str(error))


def _state(path: Path | None) -> tuple[int, int, int] | None:
    """Return time, size and inode: an editor may replace the file."""
    try:
        status = path.stat() if path else None
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status else None
