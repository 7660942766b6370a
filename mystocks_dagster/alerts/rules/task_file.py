"""Rule: a task file with problems is reported once, and its correction too."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, content_hash, load_task_file
from mystocks_dagster.taskfile.yaml.source import read_text

INCIDENT = "file"


@dataclass(frozen=True, kw_only=True)
class FileState:
    """The task file on disk compared with the loaded version.

    Attributes:
        file: Its path.
        loaded: Hash of the loaded version.
        present: Hash of the file on disk.
        problems: Problems of the file on disk, with their places.
        broken: Ids that cannot be loaded because of them.
        unusable: Whether nothing of the file on disk can be loaded.
    """

    file: str
    loaded: str
    present: str
    problems: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    unusable: bool = False

    @property
    def differs(self) -> bool:
        """Whether the file has changed since it was loaded."""
        return self.present != self.loaded


class FileWatch:
    """Reads the task file again when it has changed; an unchanged file costs one `stat`."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._mark: tuple[int, int, int] | None = None
        self._state = _state(version, version)

    def state(self) -> FileState:
        """Return the state of the file now."""
        mark = _file_mark(self._version.source)
        if mark != self._mark:
            self._state, self._mark = self._read(), mark
        return self._state

    def _read(self) -> FileState:
        path = self._version.source
        present = "unreadable"
        try:
            present = content_hash(read_text(path))
            if present == self._version.hash:
                return _state(self._version, self._version)
            # Imported modules are as old as this process, so a new function would seem to be missing.
            version = load_task_file(path, functions=False)
        except TaskFileError as error:
            return FileState(
                file=str(path),
                loaded=self._version.hash,
                present=present,
                problems=tuple(map(str, error.problems)),
                unusable=True,
            )
        return _state(self._version, version)


def _state(loaded: Version, present: Version) -> FileState:
    return FileState(
        file=str(loaded.source),
        loaded=loaded.hash,
        present=present.hash,
        problems=tuple(map(str, present.problems)),
        broken=tuple(present.broken),
    )


def worst(states: Iterable[FileState]) -> FileState:
    """Return the state of the task file to correct first."""
    return max(states, key=lambda state: (bool(state.problems), state.differs))


def report(context: AlertContext, state: FileState) -> None:
    """Report a version with problems once, if it is loaded or unusable, and report the corrected file."""
    if state.problems and (state.unusable or not state.differs):
        key, about = f"broken_file:{state.present}", {"problems": _cut(state.problems), "broken": state.broken}
        context.report(texts.broken_file(key, state.file, state.present, time=context.moment, **about))
        context.open_incident(INCIDENT, context.moment, state.present)
    elif not state.problems and not state.differs and (over := context.close_incident(INCIDENT)):
        key = f"mended_file:{state.present}:{over.note}"
        context.report(texts.corrected_file(key, state.file, state.present, time=context.moment))


def _cut(problems: Sequence[str]) -> Sequence[str]:
    return [problem if len(problem) < 300 else f"{problem[:300]}…" for problem in problems]


def _file_mark(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    # An editor may replace the file: the inode changes then.
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
