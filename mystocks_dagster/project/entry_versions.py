"""The stored versions of one task or group, and the way back to one of them (decisions 4 and 52)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.project import edit_ledger
from mystocks_dagster.project.edit import EditResult, TaskFileEditor
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import FOLDER
from mystocks_dagster.taskfile.secrets import to_public
from mystocks_dagster.taskfile.yaml.document import SECTIONS
from mystocks_dagster.taskfile.yaml.dump import dump


@dataclass(frozen=True, kw_only=True)
class EntryVersion:
    """One state of an entry.

    Attributes:
        version: Hash of the first version of the task file with this state.
        time: When that version was edited or, of an edit with another program, first loaded.
        by: The interface of the edit; None: another program, such as an editor.
        data: The entry as the file had it; None: it was not in the file.
    """

    version: str
    time: datetime
    by: str | None
    data: Any

    @property
    def text(self) -> str:
        """The entry as YAML, with secrets masked; empty if it was not in the file."""
        return "" if self.data is None else dump(to_public(self.data)).strip()


class EntryVersions:
    """The stored versions of a project's tasks and groups."""

    def __init__(self, settings: Settings, edits: TaskFileEditor) -> None:
        self._settings, self._edits = settings, edits

    def of(self, name: str) -> list[EntryVersion]:
        """Return the states of a task or group in the stored versions of the task file, the newest first.

        A version of the file in which the entry is as before is left out.
        """
        states: list[EntryVersion] = []
        for state in sorted(self._all(name), key=lambda state: state.time):
            before = states[-1].data if states else None
            if state.data != before:
                states.append(state)
        return states[::-1]

    def restore(self, name: str, version: str) -> EditResult:
        """Make a task or group what it was in a version; other entries stay. One that was deleted is added again.

        Raises:
            UnknownName: There is no such version, or it has no such entry.
            TaskFileError: The old state is not valid any more.
        """
        data = next((state.data for state in self.of(name) if state.version == version), None)
        if data is None:
            raise UnknownName(f"There is no version {version!r} of {name}.")
        current = self.of(name)[0]
        return self._edits.add(data) if current.data is None else self._edits.replace(name, data)

    def _all(self, name: str) -> Iterator[EntryVersion]:
        home = self._settings.dagster_home
        edits, source = edit_ledger.notes(home), str(real_path(self._settings.task_file))
        for path in (home / FOLDER).glob("*.json"):
            copy = _read(path)
            if copy.get("source") == source:
                edit = edits.get(path.stem)
                yield EntryVersion(
                    version=path.stem,
                    time=edit.time if edit else datetime.fromtimestamp(path.stat().st_mtime, SHANGHAI),
                    by=edit.by if edit else None,
                    data=_entry(copy, name),
                )


def _read(path: Path) -> dict[str, Any]:
    """Return a stored copy; empty for a file that is none, or that a clean-up has just removed."""
    try:
        copy = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return copy if isinstance(copy, dict) else {}


def _entry(copy: dict[str, Any], name: str) -> Any:
    for section, key in SECTIONS.items():
        for _, _, data in copy.get(section, []):
            if isinstance(data, dict) and data.get(key) == name:
                return data
    return None
