"""Which files of a project and of its instance belong into a backup, in the order in which they are copied."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mystocks_dagster.backup import manifest
from mystocks_dagster.backup.paths import stays_below
from mystocks_dagster.history.rollup import FILE as ROLLUP
from mystocks_dagster.instance import ADDRESS_FILE, is_generated
from mystocks_dagster.lake.location import local_path
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.servicefiles.environment import FILE as SERVICE_ENVIRONMENT
from mystocks_dagster.settings import (
    CODE_CHANGES,
    DATASETS,
    DEMO_LAKE,
    FORMULAS,
    INDICATORS,
    LAKE,
    STRATEGIES,
    Settings,
)

#: Folders that a program makes again.
MADE_AGAIN = {".git", ".venv", "venv", "node_modules", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
#: What belongs to the machine or to running processes.
_OF_MACHINE = {ADDRESS_FILE, "reserve", SERVICE_ENVIRONMENT}
_ENDINGS = (".lock", ".tmp", "-wal", "-shm", "-journal")
#: Below the instance's folder: copies of files of other servers, which are fetched again.
_FETCHED = ("downloads", "cache")


class OwnFile(NamedTuple):
    """A file and its path in the backup."""

    source: Path
    path: str


def project_files(settings: Settings, left_out: list[str]) -> Iterator[OwnFile]:
    """Yield the files of the project's folder, and the task file with its folders if they are elsewhere.

    Args:
        settings: The project's settings.
        left_out: Gets a line for what is there and is not copied.
    """
    names = [settings.lake, str(settings.root / DEMO_LAKE)]
    if settings.demo:  # else a folder of that name is no lake of this project
        names.append(str(settings.root / LAKE))
    lakes = [path for name in names if (path := local_path(name))]
    others = {Path(os.path.realpath(path)) for path in [*lakes, settings.dagster_home]}
    yield from _walk(settings.root, settings.root, "project", others, left_out)
    folder = settings.task_file.parent
    if not folder.is_relative_to(settings.root):
        yield OwnFile(settings.task_file, path_of_task_file(settings))
        if (folder / CODE_CHANGES).is_file():
            yield OwnFile(folder / CODE_CHANGES, f"tasks/{CODE_CHANGES}")
        for name in (DATASETS, FORMULAS, STRATEGIES, INDICATORS):
            yield from _walk(folder / name, folder, "tasks", others, left_out)


def path_of_task_file(settings: Settings) -> str:
    """Return the path of the task file in the backup."""
    file = settings.task_file
    inside = file.is_relative_to(settings.root)
    return f"project/{file.relative_to(settings.root).as_posix()}" if inside else f"tasks/{file.name}"


def instance_files(settings: Settings, *, history: bool) -> Iterator[OwnFile]:
    """Yield the files of the instance's folder; a file that a process removes meanwhile is not missed.

    The roll-up comes first, then the runs, then their events: what is copied later knows of all that was copied
    before, and the roll-up is brought up to date from both.

    Args:
        settings: The project's settings.
        history: Whether Dagster's databases and the logs of runs are among them.
    """
    home = settings.dagster_home
    files = [path for path in _files(home) if _is_lasting(path.relative_to(home))]
    dagsters = {"history", "schedules", "storage"}
    for path in sorted(files, key=lambda path: _order(path.relative_to(home).as_posix())):
        name = path.relative_to(home)
        inside, wanted = (
            f"instance/{name.as_posix()}",
            history or not (name.parts[0] in dagsters or name.name == ROLLUP),
        )
        if wanted and stays_below(inside) and not is_generated(path):
            yield OwnFile(path, inside)


def _order(name: str) -> tuple[int, str]:
    first = (ROLLUP, "history/runs.db", "schedules/schedules.db", "history/runs/index.db")
    return (first.index(name) if name in first else len(first), name)


def _is_lasting(name: Path) -> bool:
    return name.parts[0] not in (*_OF_MACHINE, *_FETCHED) and not name.name.endswith(_ENDINGS)


def _files(folder: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            if path.is_file():  # neither a socket nor a broken link
                yield path


def _walk(folder: Path, base: Path, first: str, others: set[Path], left_out: list[str]) -> Iterator[OwnFile]:
    for here, folders, names in os.walk(folder):
        for name in sorted(folders):
            path = Path(here, name)
            if reason := _reason(path, others):
                folders.remove(name)
                if name not in MADE_AGAIN and real_path(path) not in others:
                    left_out.append(f"{path}: {reason}")
        for name in sorted(names):
            path = Path(here, name)
            inside = f"{first}/{path.relative_to(base).as_posix()}"
            if not path.is_file():
                left_out.append(f"{path}: it is not a file, or a link to nothing")
            elif not name.endswith(_ENDINGS):
                if stays_below(inside):
                    yield OwnFile(path, inside)
                else:
                    shown = str(path).encode(errors="backslashreplace").decode()
                    left_out.append(f"{shown}: its name is not one that every system has, such as one in GBK")


def _reason(folder: Path, others: set[Path]) -> str:
    """Return why a folder of the project is not copied; empty if it is."""
    if folder.name in MADE_AGAIN or real_path(folder) in others:
        return "it is copied otherwise, or made again"
    if folder.is_symlink():
        return "it is a link to a folder elsewhere"
    if any((folder / name).exists() for name in (manifest.FILE, manifest.UNFINISHED)):
        return "it is a backup"
    return ""
