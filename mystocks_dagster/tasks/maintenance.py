"""Keep the project small: old cache files go, and the lake's many small files become few."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.params import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares

#: The one folder within Dagster's home that may be cleaned: the rest is its history and switches.
CACHE = "cache"
#: Files and folders of the project that hold what cannot be made again.
_KEPT = (".git", "dagster.yaml", "workspace.yaml", "pyproject.toml", "mystocks_dagster")


class CleanupParams(TaskParams):
    """What `cleanup_cache_data` takes."""

    retention_days: int = Field(default=30, ge=1, description="Files that have not changed for more days than this are removed.")
    cleanup_paths: list[str] = Field(
        default=[], description="Folders to clean, relative to the project's root and within it; empty means the project's own cache."
    )
    compact_lake: bool = Field(default=True, description="Merge the lake's small files, and remove those that no reader needs any more.")


@dataclass
class _Removed:
    files: int = 0
    bytes: int = 0
    failed: list[str] = field(default_factory=list)


@declares()
def cleanup_cache_data(params: CleanupParams, run: TaskRun) -> TaskResult:
    """Remove old files below the given folders, and compact the lake.

    Symbolic links are neither followed nor removed; a folder that does not exist is nothing to do.

    Raises:
        InvalidParams: A folder lies outside the project, is reached through a link, or holds what must be kept.
        LakeError: The lake cannot be compacted.
    """
    settings = run.settings
    # All of them are checked before the first file goes.
    folders = [_checked(path, settings) for path in params.cleanup_paths] or [settings.dagster_home / CACHE]
    before = (now() - timedelta(days=params.retention_days)).timestamp()
    removed = _Removed()
    for done, folder in enumerate(folders):
        run.report_progress(done, len(folders), str(folder))
        _clean(folder, before, removed)
    message = f"Removed {removed.files} files ({removed.bytes:,} bytes) older than {params.retention_days} days."
    metadata = {"files": removed.files, "bytes": removed.bytes, "folders": [str(folder) for folder in folders]}
    if params.compact_lake:
        lake = run.lake()
        lake.compact()
        metadata["lake_files"] = lake.vacuum()
        message += f" The lake is compact; {metadata['lake_files']} of its old files are gone."
    for path in removed.failed:
        run.logger.warning("%s could not be removed", path)
    status = "partial_success" if removed.failed else "success"
    return TaskResult(status=status, message=message, failed_items=tuple(removed.failed), metadata=metadata)


def _checked(text: str, settings: Settings) -> Path:
    """Return the folder that `text` means, when it may be cleaned."""
    root = settings.root.resolve()
    named = Path(os.path.normpath(root / text))
    if not named.is_relative_to(root) or named == root:
        raise InvalidParams(f"cleanup_paths: {text!r} is not a folder within the project {root}.")
    if named.resolve() != named:
        raise InvalidParams(f"cleanup_paths: {text!r} is reached through a symbolic link; name the folder itself.")
    cache = settings.dagster_home.resolve() / CACHE
    for kept in _kept(settings, root):
        inside = named.is_relative_to(kept) and not named.is_relative_to(cache)
        if inside or (kept.is_relative_to(named) and named != kept):
            raise InvalidParams(
                f"cleanup_paths: {text!r} holds or belongs to {kept}, which is kept; name another folder, such as .dagster/cache."
            )
    if named.exists() and not named.is_dir():
        raise InvalidParams(f"cleanup_paths: {text!r} is a file; name its folder.")
    return named


def _kept(settings: Settings, root: Path) -> Iterator[Path]:
    yield from (root / name for name in _KEPT)
    yield settings.task_file.resolve()
    yield settings.dagster_home.resolve()
    if "://" not in settings.lake:
        yield Path(settings.lake).resolve()
    if settings.recorded:
        yield settings.recorded.resolve()


def _clean(folder: Path, before: float, removed: _Removed) -> None:
    """Remove files older than `before`, and the folders that become empty by it; `folder` itself stays."""
    if folder.is_symlink() or not folder.is_dir():
        return
    emptied: set[Path] = set()
    # By descriptor, so that a folder that is swapped for a link meanwhile leads nowhere else.
    for place, folders, files, here in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in files:
            path = Path(place, name)
            try:
                found = os.stat(name, dir_fd=here, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_mtime < before:
                    os.unlink(name, dir_fd=here)
                    removed.files += 1
                    removed.bytes += found.st_size
                    emptied.add(path.parent)
            except FileNotFoundError:
                continue  # someone else has removed it
            except OSError:
                removed.failed.append(str(path))
        for name in folders:
            if Path(place, name) in emptied:
                with suppress(OSError):  # it still holds something
                    os.rmdir(name, dir_fd=here)
                    emptied.add(Path(place))
