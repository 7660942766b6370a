"""The calendar that is in force: the published one, then the user's file, then what a source stated last."""

import os
import threading
import time
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.market.calendar import TradingCalendar, published
from mystocks_dagster.settings import Settings, calendar_key
from mystocks_dagster.trading_calendar import record
from mystocks_dagster.trading_calendar.day_file import read_days
from mystocks_dagster.trading_calendar.record import Record
from mystocks_dagster.trading_calendar.statement import Statement, listed

#: The files are looked at again after so many seconds.
_FRESH_SECONDS = 1.0
PACKAGE = "package"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One of the things that the calendar stands on.

    Attributes:
        name: `package`, the path of the user's file, or the name of a source.
        until: Last day that it states.
        fetched_at: When a source stated it.
    """

    name: str
    until: date
    fetched_at: datetime | None = None

    def __str__(self) -> str:
        when = f", fetched {self.fetched_at:%Y-%m-%d %H:%M}" if self.fetched_at else ""
        return f"{self.name} (to {self.until}{when})"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {
            "name": self.name,
            "until": self.until.isoformat(),
            "fetched_at": self.fetched_at.isoformat() if self.fetched_at else None,
        }


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The calendar, and what it stands on.

    Attributes:
        calendar: The calendar.
        parts: What it stands on, in the order of trust.
        errors: What a person must mend: the user's file.
        notes: What a person should know: a source or a stored statement that is not used.
        record: What a source was asked last, and answered.
    """

    calendar: TradingCalendar
    parts: tuple[Part, ...]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    record: Record

    @property
    def stands_on(self) -> str:
        """What it stands on, for people."""
        return ", ".join(map(str, self.parts))


def combine(user_file: Path | None, stored: Record, damage: str = "") -> InForce:
    """Return the calendar that follows from the published one, the user's file and a source's statement.

    What is trusted less never changes what is trusted more, and never shortens it.
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
    against = statement.contradictions(calendar)
    if against:
        where = statement.places.get(against[0], str(path))
        errors.append(f"{where}: contradicts the published calendar about {listed(against)}; the file is not used.")
        return calendar, []
    if faults := list(statement.faults(calendar)):
        told = faults[0] if faults[0].startswith(str(path)) else f"{path}: {faults[0]}"
        errors.append(f"{told}; the file is not used.")
        return calendar, []
    return calendar.extended(statement.days, statement.last), [Part(name=str(path), until=statement.last)]


def _with_statement(
    calendar: TradingCalendar, statement: Statement, stored: Record, notes: list[str]
) -> tuple[TradingCalendar, list[Part]]:
    if against := statement.contradictions(published()):
        notes.append(f"{stored.source} contradicts the published calendar about {listed(against)}; it is not used.")
        return calendar, []
    if against := statement.contradictions(calendar):
        notes.append(
            f"{stored.source} contradicts the trading calendar's file about {listed(against)}; the file counts."
        )
    if faults := list(statement.faults(calendar)):
        notes.append(f"{stored.source}: {faults[0]}; it is not used.")
        return calendar, []
    part = Part(name=stored.source, until=statement.last, fetched_at=stored.fetched_at)
    return calendar.extended(statement.days, statement.last), [part]


def in_force() -> InForce:
    """Return the calendar in force in this process; a change of its files counts from the next second on.

    Raises:
        SettingsError: A variable of the environment holds a value that cannot be meant.
    """
    key = calendar_key()
    kept = _kept.get(key)
    if kept and time.monotonic() < kept.fresh_until:
        return kept.found
    with _lock:
        settings = Settings.from_env()
        seen = (settings.trading_calendar, _mark(settings.trading_calendar), _mark(record.path_of(settings)))
        kept = _kept.get(key)
        found = kept.found if kept and kept.seen == seen else _load(settings)
        _kept.clear()
        _kept[key] = _Kept(found, seen, time.monotonic() + _FRESH_SECONDS)
    return found


def look_again() -> None:
    """Look at the files again when the calendar is asked for next, after one of them was written here."""
    _kept.clear()


@dataclass(frozen=True)
class _Kept:
    found: InForce
    seen: tuple[Any, ...]
    fresh_until: float


_kept: dict[tuple[str | None, ...], _Kept] = {}
_lock = threading.Lock()


def _load(settings: Settings) -> InForce:
    try:
        return combine(settings.trading_calendar, record.read(settings))
    except record.Damaged as error:
        return combine(settings.trading_calendar, Record(), str(error))


def _mark(path: Path | None) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path) if path else None  # noqa: PTH116 - with the inode: an editor may replace the file
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
