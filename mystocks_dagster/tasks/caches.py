"""Which folders a clean-up may empty: caches, named so or listed in MYSTOCKS_CACHES, and nothing that cannot be made again.

The list allows; whatever a folder is called, what is listed in `_protected_paths` and what looks like a lake, an instance or
source code stays.
Places are compared by what they are on the disk, so that neither the case of letters nor a second mount leads around
the list.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.settings import EXPORTS, Settings
from mystocks_dagster.sources.recorded import archive_folder

#: The one folder within Dagster's home that may be cleaned: the rest is its history and switches.
CACHE = "cache"
#: A folder with such a name, and all below it, is a cache.
_NAMES = frozenset(
    {"cache", "caches", ".cache", "tmp", "temp", ".tmp", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
)
#: Files and folders of the project that hold what cannot be made again.
_PROJECT = (".git", "dagster.yaml", "workspace.yaml", "pyproject.toml", "mystocks_dagster", "tests", "docs", EXPORTS)
#: What stands in a folder that is no cache: a table of a lake, an instance or project of Dagster's, a repository, a
#: Python package.
_MARKS = frozenset(
    {"_delta_log", "dagster.yaml", "workspace.yaml", "pyproject.toml", "tasks.yaml", ".git", "__init__.py", "runs.db"}
)
#: Kept whatever folder it is in: nobody's cache, and often the only copy.
_SOURCE_ENDINGS = (".py", ".ipynb")


def cache_folder(text: str, settings: Settings) -> Path:
    """Return the folder that an entry of `cleanup_paths` means.

    Args:
        text: Relative to the project's root, or absolute.
        settings: The project's.

    Raises:
        InvalidParams: It is no cache of this project, is reached through a link, or holds what must be kept.
    """
    root = settings.root.resolve()
    own = settings.dagster_home.resolve() / CACHE
    try:
        named = Path(os.path.normpath(root / text))
        resolved = named.resolve()
    except (ValueError, OSError, RuntimeError):  # a null character, a circle of links
        raise InvalidParams(f"cleanup_paths: {text!r} is no path.") from None
    if resolved != named:
        raise InvalidParams(f"cleanup_paths: {text!r} is reached through a symbolic link; name the folder itself.")
    listed = [folder.resolve() for folder in settings.caches]
    if any(is_same_path(one, named) for one in (root, *root.parents, Path.home())):
        raise InvalidParams(
            f"cleanup_paths: {text!r} is not a folder within the project {root}, but holds it, or is the home folder."
        )
    if not (named.is_relative_to(root) and named != root) and not any(
        named.is_relative_to(one) for one in (own, *listed)
    ):
        raise InvalidParams(
            f"cleanup_paths: {text!r} is not a folder within the project {root}. Name one of its caches, such as .dagster/cache; a folder "
            "elsewhere is allowed by MYSTOCKS_CACHES."
        )
    within_own = any(is_same_path(one, own) for one in (named, *named.parents))
    for kept in _protected_paths(settings, root):
        inside = any(is_same_path(one, kept) for one in (named, *named.parents)) and not within_own
        around = any(is_same_path(one, named) for one in kept.parents)
        if inside or around:
            raise InvalidParams(
                f"cleanup_paths: {text!r} holds or belongs to {kept}, which is kept; name another folder, such as .dagster/cache."
            )
    parts = named.relative_to(root).parts if named.is_relative_to(root) else ()
    if (
        not within_own
        and not any(named.is_relative_to(one) for one in listed)
        and not _NAMES & {part.casefold() for part in parts}
    ):
        raise InvalidParams(
            f"cleanup_paths: {text!r} is no cache. Name .dagster/cache, or a folder called {', '.join(sorted(_NAMES))}; another one is "
            "allowed by MYSTOCKS_CACHES, a list of folders."
        )
    if named.exists() and not named.is_dir():
        raise InvalidParams(f"cleanup_paths: {text!r} is a file; name its folder.")
    return named


def is_protected(names: list[str]) -> bool:
    """Say whether a folder that holds these names is none to clean, nor is what is below it."""
    return any(name.casefold() in _MARKS or name.casefold().endswith(_SOURCE_ENDINGS) for name in names)


def is_same_path(one: Path, other: Path) -> bool:
    """Say whether two paths lead to one thing on the disk; of what does not exist the names decide."""
    try:
        return one.samefile(other)
    except OSError:
        return os.path.normcase(one).casefold() == os.path.normcase(other).casefold()


def _protected_paths(settings: Settings, root: Path) -> Iterator[Path]:
    yield from (root / name for name in _PROJECT)
    yield settings.task_file.resolve()
    yield settings.dagster_home.resolve()
    yield settings.exports.resolve()
    yield Path(__file__).resolve().parent.parent
    if "://" not in settings.lake:
        yield Path(settings.lake).resolve()
    if archive := archive_folder(settings):
        yield archive
