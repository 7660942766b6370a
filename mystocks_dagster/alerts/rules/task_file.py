"""How the task file is: what is loaded, what is on the disk, and what is wrong with it."""

import os
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
    """The task file beside what is loaded of it.

    Attributes:
        loaded: Hash of the version that is loaded.
        present: Hash of the file as it is; the loaded one when it has not changed.
        problems: What is wrong with the file as it is, with places.
        broken: Ids that are not loaded because of it.
        unusable: Nothing of the file as it is can be loaded.
    """

    file: str
    loaded: str
    present: str
    problems: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    unusable: bool = False

    @property
    def differs(self) -> bool:
        """Whether the file has been saved since it was loaded."""
        return self.present != self.loaded


class FileWatch:
    """Reads the task file again when it has changed; asking costs one look at the folder."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._seen: tuple[int, int, int] | None = None
        self._state = self._of_loaded()

    def state(self) -> FileState:
        """Return how the file is now."""
        seen = _mark(self._version.source)
        if seen != self._seen:
            self._state, self._seen = self._read(), seen
        return self._state

    def _read(self) -> FileState:
        path = self._version.source
        present = "unreadable"
        try:
            present = content_hash(read_text(path))
            if present == self._version.hash:
                return self._of_loaded()
            # Modules are as old as this process: a function that is new would look unknown.
            version = load_task_file(path, functions=False)
        except TaskFileError as error:
            return FileState(
                file=str(path),
                loaded=self._version.hash,
                present=present,
                problems=tuple(map(str, error.problems)),
                unusable=True,
            )
        problems = tuple(map(str, version.problems))
        return FileState(
            file=str(path),
            loaded=self._version.hash,
            present=version.hash,
            problems=problems,
            broken=tuple(version.broken),
        )

    def _of_loaded(self) -> FileState:
        version = self._version
        problems = tuple(map(str, version.problems))
        return FileState(
            file=str(version.source),
            loaded=version.hash,
            present=version.hash,
            problems=problems,
            broken=tuple(version.broken),
        )


def worst(states: Iterable[FileState]) -> FileState:
    """Return of several task files the one that is to be mended first."""
    return max(states, key=lambda state: (bool(state.problems), state.differs))


def tell(context: AlertContext, state: FileState) -> None:
    """Tell of a version with problems, once, when it is loaded or can never be; and of the mended file."""
    if state.problems and (state.unusable or not state.differs):
        key, about = f"broken_file:{state.present}", {"problems": _within(state.problems), "broken": state.broken}
        context.report(texts.broken_file(key, state.file, state.present, time=context.moment, **about))
        context.open_incident(INCIDENT, context.moment, state.present)
    elif not state.problems and not state.differs and (over := context.close_incident(INCIDENT)):
        context.report(
            texts.mended_file(f"mended_file:{state.present}:{over.note}", state.file, state.present, time=context.moment)
        )


def _within(problems: Sequence[str]) -> Sequence[str]:
    return [problem if len(problem) < 300 else f"{problem[:300]}…" for problem in problems]


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - with the inode: an editor may replace the file
    except OSError:
        return (0, 0, 0)
    return found.st_mtime_ns, found.st_size, found.st_ino
