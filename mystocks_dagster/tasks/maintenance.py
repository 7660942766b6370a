"""Remove old cache files, and compact the lake."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.clock import now
from mystocks_dagster.settings import Settings
from mystocks_dagster.tasks.caches import CACHE, cache_folder, is_protected
from mystocks_dagster.tasks.param_types import TaskParams
from mystocks_dagster.tasks.run import TaskResult, TaskRun, declares


def _cache(text: str) -> str:
    """Reject a folder that must not be cleaned when the task file is checked, not only when the task runs."""
    try:
        cache_folder(text, Settings.from_env())
    except InvalidParams as error:
        raise ValueError(str(error).removeprefix("cleanup_paths: ")) from None
    return text


class CleanupParams(TaskParams):
    """Parameters of `cleanup_cache_data`."""

    retention_days: int = Field(default=30, ge=1, description="Files older than this many days are removed.")
    cleanup_paths: list[Annotated[str, AfterValidator(_cache)]] = Field(
        default=[],
        description="Caches to clean, relative to the project's root: .dagster/cache, folders called cache or tmp, and "
        "those in MYSTOCKS_CACHES; empty means the project's own cache.",
    )
    compact_lake: bool = Field(
        default=True, description="Merge the lake's small files, and delete files that are no longer needed."
    )


@dataclass
class _Removed:
    files: int = 0
    bytes: int = 0
    failed: list[str] = field(default_factory=list)


@declares()
def cleanup_cache_data(params: CleanupParams, run: TaskRun) -> TaskResult:
    """Remove old files from the caches, and compact the lake.

    Symbolic links are neither followed nor removed. A folder that does not exist is skipped.

    Raises:
        InvalidParams: A folder is not a cache, is reached through a link, or contains protected files.
        LakeError: The lake cannot be compacted.
    """
    settings = run.settings
    # All folders are checked before the first file is removed.
    folders = [cache_folder(path, settings) for path in params.cleanup_paths] or [settings.dagster_home / CACHE]
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
        message += f" The lake is compacted; {metadata['lake_files']} old files of it were deleted."
    for path in removed.failed:
        run.logger.warning("%s could not be removed", path)
    status = "partial_success" if removed.failed else "success"
    return TaskResult(status=status, message=message, failed_items=tuple(removed.failed), metadata=metadata)


def _clean(folder: Path, before: float, removed: _Removed) -> None:
    """Remove files older than `before` and folders that become empty; keep `folder` itself."""
    if folder.is_symlink() or not folder.is_dir():
        return
    _clean_below(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), folder, before, removed)


def _clean_below(here: int, place: Path, before: float, removed: _Removed) -> bool:
    """Clean an open folder and close it; return whether it became empty.

    It works on descriptors, so that replacing a folder by a link meanwhile does not redirect it.
    """
    try:
        names, device, removed_before = os.listdir(here), os.fstat(here).st_dev, removed.files
        if is_protected(names):
            return False
        for name in names:
            try:
                status = os.stat(name, dir_fd=here, follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode) and status.st_dev == device:  # not another file system mounted there
                    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
                    if _clean_below(below, place / name, before, removed):
                        with suppress(OSError):  # no longer empty
                            os.rmdir(name, dir_fd=here)
                elif stat.S_ISREG(status.st_mode) and status.st_mtime < before:
                    os.unlink(name, dir_fd=here)
                    removed.files += 1
                    removed.bytes += status.st_size
            except FileNotFoundError:
                continue  # removed by another process
            except OSError:
                removed.failed.append(str(place / name))
        return removed.files > removed_before and not os.listdir(here)
    finally:
        os.close(here)
