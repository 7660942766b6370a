"""Which folders a clean-up may empty: caches by name, or folders listed in MYSTOCKS_CACHES.

Whatever its name, a folder is kept when it is in `_protected_paths`, or looks like a lake, an instance or source code.
Paths are compared by what they are on the disk, so that neither letter case nor a second mount bypasses the check.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import EXPORTS, Settings
from mystocks_dagster.sources.recorded import archive_folder

#: The only folder within Dagster's home that may be cleaned; the others hold history and switches.
CACHE = "cache"
#: Names of caches; everything below such a folder belongs to it.
_NAMES = frozenset(
    {"cache", "caches", ".cache", "tmp", "temp", ".tmp", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
)
#: Files and folders of the project whose content cannot be recreated.
_PROJECT = (".git", "dagster.yaml", "workspace.yaml", "pyproject.toml", "mystocks_dagster", "tests", "docs", EXPORTS)
#: Content that shows that a folder is not a cache: a Delta table, a Dagster instance or project, a repository or a
#: Python package.
_MARKS = frozenset(
    {"_delta_log", "dagster.yaml", "workspace.yaml", "pyproject.toml", "tasks.yaml", ".git", "__init__.py", "runs.db"}
)
#: Source files are kept in any folder: often they are the only copy.
_SOURCE_ENDINGS = (".py", ".ipynb")
_REMEDY = "Name a cache of the project, such as .dagster/cache, or list the folder in MYSTOCKS_CACHES."


def cache_folder(text: str, settings: Settings) -> Path:
    """Return the folder of an entry of `cleanup_paths`.

    Args:
        text: Relative to the project's root, or absolute.
        settings: The settings of the project.

    Raises:
        InvalidParams: It is not a cache of this project, is reached through a link, or contains protected files.
    """
    root = real_path(settings.root)
    own = real_path(settings.dagster_home) / CACHE
    try:
        named = Path(os.path.normpath(root / text))
        listed = [real_path(folder) for folder in settings.caches]
        _check_place(
            text, named, root, [own, *listed]
        )  # first: a message about a path elsewhere would say whether it exists
        resolved = named.resolve()
    except (ValueError, OSError, RuntimeError):  # a null character, a cycle of links
        raise InvalidParams(f"cleanup_paths: {text!r} is not a path.") from None
    if resolved != named:
        raise InvalidParams(f"cleanup_paths: {text!r} is reached through a symbolic link; name the folder itself.")
    within_own = any(is_same_path(path, own) for path in (named, *named.parents))
    _check_protected(text, named, _protected_paths(settings, root), within_own=within_own)
    if not within_own:
        _check_name(text, named, root, listed)
    if named.exists() and not named.is_dir():
        raise InvalidParams(f"cleanup_paths: {text!r} is a file; name its folder.")
    return named


def _check_place(text: str, named: Path, root: Path, allowed: Sequence[Path]) -> None:
    if any(is_same_path(path, named) for path in (root, *root.parents, Path.home())):
        raise InvalidParams(f"cleanup_paths: {text!r} contains the project {root}, or is the home folder. {_REMEDY}")
    if not any(named.is_relative_to(path) for path in (root, *allowed)):
        raise InvalidParams(f"cleanup_paths: {text!r} is not a folder within the project {root}. {_REMEDY}")


def _check_name(text: str, named: Path, root: Path, listed: Sequence[Path]) -> None:
    parts = named.relative_to(root).parts if named.is_relative_to(root) else ()
    if any(named.is_relative_to(path) for path in listed) or _NAMES & {part.casefold() for part in parts}:
        return
    names = ", ".join(sorted(_NAMES))
    raise InvalidParams(f"cleanup_paths: {text!r} is not a cache, such as a folder called {names}. {_REMEDY}")


def _check_protected(text: str, named: Path, protected: Iterable[Path], *, within_own: bool) -> None:
    for path in protected:
        inside = any(is_same_path(parent, path) for parent in (named, *named.parents)) and not within_own
        around = any(is_same_path(parent, named) for parent in path.parents)
        if inside or around:
            raise InvalidParams(
                f"cleanup_paths: {text!r} contains or is part of {path}, which is never cleaned. Name another folder, "
                "such as .dagster/cache."
            )


def is_protected(names: list[str]) -> bool:
    """Return whether a folder with these entries, and everything below it, must not be cleaned."""
    return any(name.casefold() in _MARKS or name.casefold().endswith(_SOURCE_ENDINGS) for name in names)


def is_same_path(path: Path, other: Path) -> bool:
    """Return whether two paths are the same file or folder; missing ones are compared by name."""
    try:
        return path.samefile(other)
    except OSError:
        return os.path.normcase(path).casefold() == os.path.normcase(other).casefold()


def _protected_paths(settings: Settings, root: Path) -> Iterator[Path]:
    yield from (root / name for name in _PROJECT)
    yield real_path(settings.task_file)
    yield real_path(settings.dagster_home)
    yield real_path(settings.exports)
    yield Path(__file__).resolve().parent.parent
    if "://" not in settings.lake:
        yield real_path(Path(settings.lake))
    if archive := archive_folder(settings):
        yield archive
