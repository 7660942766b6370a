"""The state of the web UI's last reload, in a file that all processes of the project read.

The file exists in the instance's folder while a background reload is active or has failed. It is removed when a reload
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
    """Record that this process is reloading the web UI."""
    _write(settings, None)


def fail(settings: Settings, reason: str) -> None:
    """Record that the reload failed."""
    _write(settings, reason)


def forget(settings: Settings) -> None:
    """Remove the record, since the web UI uses the current file."""
    with suppress(OSError):
        _path(settings).unlink(missing_ok=True)


def under_way(settings: Settings) -> bool:
    """Return whether a process is reloading the web UI."""
    state = _read(settings)
    return state is not None and state[1] is None and psutil.pid_exists(state[0])


def trouble(settings: Settings) -> str | None:
    """Return one line that says why the web UI does not use the saved file, with the remedy; None if it does."""
    state = _read(settings)
    if state is None or under_way(settings):
        return None
    reason = state[1] or "The process that was reloading it was killed."
    return f"The task file is saved, but the web UI does not use it yet. {reason} Reload it with: mystocks reload"


def _write(settings: Settings, error: str | None) -> None:
    content = json.dumps({"pid": os.getpid(), "error": error}, ensure_ascii=False).encode()
    with suppress(SettingsError):  # on a full disk the save itself has failed
        atomic_files.replace(_path(settings), content)


def _read(settings: Settings) -> tuple[int, str | None] | None:
    """Return the recorded process and its error."""
    try:
        state = json.loads(_path(settings).read_text(encoding="utf-8"))
        return int(state["pid"]), state["error"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _path(settings: Settings) -> Path:
    return settings.dagster_home / _FILE
