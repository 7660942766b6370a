"""The record of a data source's last statement of trading days, in the instance's folder for all processes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.trading_calendar.statement import Statement

NAME = "calendar.json"
_FORMAT = 1


class Damaged(SettingsError):
    """The file cannot be read; a refresh from a source replaces it."""

    remedy = "Load the calendar again: `mystocks calendar --refresh`."


@dataclass(frozen=True, kw_only=True)
class Record:
    """The last accepted statement, and the last request to a source.

    Attributes:
        source: Name of the source whose statement is kept.
        fetched_at: When the statement was fetched.
        first: First day that the statement covers.
        last: Last day that the statement covers.
        days: Its trading days.
        asked: Name of the source that was asked last.
        asked_at: When a source was asked last, with or without success.
        error: Why the last request failed; empty when it succeeded.
        refused_since: Since when statements have been refused; None when the last one was accepted.
        refused_until: Last day of the refused statement.
    """

    source: str = ""
    fetched_at: datetime | None = None
    first: date | None = None
    last: date | None = None
    days: tuple[date, ...] = ()
    asked: str = ""
    asked_at: datetime | None = None
    error: str = ""
    refused_since: datetime | None = None
    refused_until: date | None = None

    @property
    def statement(self) -> Statement | None:
        """The accepted statement; None when there is none."""
        return Statement(self.first, self.last, frozenset(self.days)) if self.first and self.last else None

    def text(self) -> str:
        """Return the record as JSON."""
        return json.dumps(
            {"format": _FORMAT, **asdict(self)}, default=lambda value: value.isoformat(), ensure_ascii=False, indent=1
        )

    @classmethod
    def parse(cls, text: str, place: str) -> "Record":
        """Parse JSON.

        Raises:
            Damaged: The text is not a record.
        """
        try:
            return cls(**_values(json.loads(text)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(
                f"{place} is damaged ({error}) and not used; fetch it again: mystocks calendar --refresh"
            ) from None


def path_of(settings: Settings) -> Path:
    """Return the path of the record."""
    return settings.dagster_home / NAME


def read(settings: Settings) -> Record:
    """Return the record; an empty one when no source was asked yet.

    Raises:
        Damaged: The file cannot be read.
    """
    path = path_of(settings)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Record()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Damaged(
            f"{path} cannot be read: {reason}. Check its permissions, or fetch it again: mystocks calendar --refresh"
        ) from None
    return Record.parse(text, str(path))


def write(settings: Settings, record: Record) -> None:
    """Replace the record atomically.

    Raises:
        SettingsError: The folder cannot be written.
    """
    atomic_files.replace(path_of(settings), record.text().encode())


def _values(stored: Mapping[str, Any]) -> dict[str, Any]:
    if stored["format"] != _FORMAT:
        raise ValueError(f"format {stored['format']!r} is not {_FORMAT}")
    values = {name: value for name, value in stored.items() if name != "format"}
    for name in ("fetched_at", "asked_at", "refused_since"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
        if values[name] and values[name].tzinfo is None:
            raise ValueError(f"{name} has no time zone")
    for name in ("first", "last", "refused_until"):
        values[name] = date.fromisoformat(values[name]) if values[name] else None
    values["days"] = tuple(map(date.fromisoformat, values["days"]))
    return values
