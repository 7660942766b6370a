"""The task file for commands, pages and runs: its current version, or its last good one.

A mistake in an editor must not end commands that show, start or stop runs. Edits do not use this module: a file that
cannot be read cannot be changed safely. See docs/decisions/0023.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.excerpts import with_remedy
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile import atomic_files, known_good, shared_version
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, load_task_file
from mystocks_dagster.taskfile.versions import load_version, store
from mystocks_dagster.taskfile.yaml.document import SECTIONS

#: Folder of the copies of all versions, in the instance's folder.
FOLDER = "taskfiles"
#: File in that folder: task file to the hash of its last good version.
LAST_GOOD = "last-good.json"


def load_usable(settings: Settings, *, functions: bool = True, environment: Mapping[str, str] | None = None) -> Version:
    """Return the task file; if it is unusable, its last good version, with the error in `unusable`.

    A machine that has none reads the version with which the machines' last run was queued.

    Args:
        settings: The project's settings.
        functions: As in `reader.load_task_file`.
        environment: Where variables are looked up.

    Raises:
        TaskFileError: The file is unusable, and there is no good version of it.
        InstanceError: This machine has none, and the database of the machines does not answer.
    """
    folder = settings.dagster_home / FOLDER
    if shared := shared_version.newest(settings, folder):
        return load_version(folder, shared, functions=functions, environment=environment)
    try:
        version = load_task_file(settings.task_file, functions=functions, environment=environment)
    except TaskFileError as error:
        good = last_good(folder).get(_key(settings.task_file))
        if good is None:
            raise
        try:
            version = load_version(folder, good, functions=functions, environment=environment)
        except TaskFileError:
            raise error from None
        return replace(version, unusable=error)
    if functions:
        _remember(settings, version)
    return version


def load_for_running(settings: Settings, only: str) -> Version | None:
    """Return only the entries that a run of a task or group needs; None where the whole file must be read.

    Args:
        settings: The project's settings.
        only: Dagster's name of the task or group.
    """
    return known_good.load(settings, settings.dagster_home / FOLDER, only)


def load_for_reading(settings: Settings) -> Version:
    """Return the task file for commands that start nothing: without `functions` where they are known to be valid.

    Raises:
        TaskFileError: The file is unusable, and there is no good version of it.
    """
    return known_good.load(settings, settings.dagster_home / FOLDER) or load_usable(settings)


def load_without_functions(settings: Settings) -> Version:
    """Return the task file for processes that import none of its modules; a file known to be valid costs no polars.

    Raises:
        TaskFileError: The file is unusable, and there is no good version of it.
    """
    return known_good.load(settings, settings.dagster_home / FOLDER) or load_usable(settings, functions=False)


def notice(version: Version) -> str | None:
    """Return one line about the version in use and the file's error; None when the file itself is used."""
    if version.unusable is None:
        return None
    first = version.unusable.problems[0]
    more = len(version.unusable.problems) - 1
    rest = f" (and {more} more)" if more else ""
    until = f"Until the file is valid (see: mystocks check), its last good version {version.hash} is used."
    return with_remedy(f"{first}{rest}", until)


def last_good_entries(settings: Settings) -> dict[str, Any]:
    """Return the tasks and groups of the last good version as written, unchecked; empty when there is none."""
    folder = settings.dagster_home / FOLDER
    try:
        copy = json.loads((folder / f"{last_good(folder)[_key(settings.task_file)]}.json").read_text(encoding="utf-8"))
        return {section: [data for _, _, data in copy[section]] for section in SECTIONS}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _remember(settings: Settings, version: Version) -> None:
    """Store a version as the last good one, if the instance's folder exists: reading does not create it."""
    folder, key = settings.dagster_home / FOLDER, _key(version.source)
    if not settings.dagster_home.is_dir():
        return
    with suppress(SettingsError):
        if last_good(folder).get(key) != version.hash:
            _note_last_good(version, folder, key)
        known_good.note(version, folder)


def _note_last_good(version: Version, folder: Path, key: str) -> None:
    store(version, folder)
    with atomic_files.locked(folder / LAST_GOOD):
        content = {**last_good(folder), key: version.hash}
        atomic_files.replace(folder / LAST_GOOD, json.dumps(content, ensure_ascii=False, indent=1).encode())


def last_good(folder: Path) -> dict[str, str]:
    """Return the hash of the last good version by task file."""
    try:
        hashes = json.loads((folder / LAST_GOOD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _key(path: Path) -> str:
    return str(real_path(path))
