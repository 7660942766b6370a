"""The note about a reload of the web UI that has not succeeded, for every process of the project.

It is in the instance's folder while a reload goes on after its save was answered, or has failed; it goes when a reload
succeeds or the web UI starts.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

import psutil

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files

_FILE = "reload.json"


def begin(settings: Settings) -> None:
    """Note that this process reloads the web UI."""
    _write(settings, None)


def fail(settings: Settings, reason: str) -> None:
    """Note that the reload failed."""
    _write(settings, reason)


def forget(settings: Settings) -> None:
    """Take the note away: the web UI uses the file."""
    with suppress(OSError):
        _path(settings).unlink(missing_ok=True)


def under_way(settings: Settings) -> bool:
    """Say whether a process reloads the web UI now."""
    note = _read(settings)
    return note is not None and note[1] is None and psutil.pid_exists(note[0])


def trouble(settings: Settings) -> str | None:
    """Return in one line why the web UI does not use the saved file, and what to do; None when nothing is known."""
    note = _read(settings)
    if note is None or under_way(settings):
        return None
    reason = note[1] or "The process that reloaded it was killed."
    return f"The task file is saved, but the web UI does not use it yet. {reason} Load it with: mystocks reload"


def _write(settings: Settings, error: str | None) -> None:
    content = json.dumps({"pid": os.getpid(), "error": error}, ensure_ascii=False).encode()
    with suppress(SettingsError):  # on a full disk the save itself has failed
        atomic_files.replace(_path(settings), content)


def _read(settings: Settings) -> tuple[int, str | None] | None:
    """Return the noted process and its error."""
    try:
        note = json.loads(_path(settings).read_text(encoding="utf-8"))
        return int(note["pid"]), note["error"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(settings: Settings) -> Path:
    return settings.dagster_home / _FILE
