"""Translation of errors about a full or read-only disk into messages that name the folder and the remedy.

The only place that recognizes such errors, for commands, REST and the daemon's launcher.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.plain_files import real_path

#: With less free space a database does not work reliably.
TIGHT_BYTES = 2_000_000
#: A file that is reserved while there is space, and deleted by a clean-up on a full disk: deleting rows needs space.
RESERVE, RESERVE_BYTES = "reserve", 1_000_000
#: Of the operating system, for a disk or a quota without free space.
FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY_CODES = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL_WORDS = ("disk is full", "no space left", "disk quota", "diskfull")
_READ_ONLY_WORDS = ("readonly database", "read-only file system", "permission denied")
#: SQLite's messages with several possible causes; the free space of the disk decides.
_VAGUE_WORDS = ("disk i/o error", "unable to open database file", "attempt to write")


def explain(error: BaseException, folder: Path, *, instance: bool = True) -> InstanceError | None:
    """Return a readable error if a full or read-only disk under a folder caused `error`; else None.

    Args:
        error: What was raised.
        folder: The instance's folder, or another one.
        instance: Whether it is the instance's, where a clean-up makes space and DAGSTER_HOME names another one.
    """
    texts = list(_causes(error))
    if texts and (other := _other_file(error, folder)):
        return InstanceError(
            f"{other}: cannot be written ({_first_line(error)}). Free some space or make it writable, "
            "or choose another path."
        )
    if any(text in ("full", *_FULL_WORDS) for text in texts) or (texts and room(folder) < TIGHT_BYTES):
        return InstanceError(full(folder) if instance else _full(folder))
    if texts and not instance:
        return InstanceError(
            f"{folder}: cannot be written ({_first_line(error)}). Make it writable, or name another folder."
        )
    if texts:
        return InstanceError(
            f"{folder}: cannot be written ({_first_line(error)}). Make it writable, "
            "or choose another folder with DAGSTER_HOME."
        )
    return None


def full(folder: Path) -> str:
    """Return the message about a full disk, with its free space and the remedy."""
    free, total = megabytes(folder)
    return (
        f"The disk of {folder} is full: {free:,.1f} of {total:,.1f} MB are free. "
        "Free some space: remove old runs with `mystocks cleanup --days 30`, which works on a full disk, "
        "or delete other files on it."
    )


def _full(folder: Path) -> str:
    free, total = megabytes(folder)
    return (
        f"The disk of {folder} is full: {free:,.1f} of {total:,.1f} MB are free. Free some space on it, or name a "
        "folder on another disk."
    )


def is_full(folder: Path) -> bool:
    """Return whether the disk has too little free space for a database."""
    return room(folder) < TIGHT_BYTES


def room(folder: Path) -> int:
    """Return the free bytes on the disk of a folder, which need not exist."""
    return shutil.disk_usage(_existing(folder)).free


def megabytes(folder: Path) -> tuple[float, float]:
    """Return the free and all megabytes of the disk of a folder, which need not exist."""
    usage = shutil.disk_usage(_existing(folder))
    return usage.free / 1e6, usage.total / 1e6


def keep_reserve(home: Path) -> None:
    """Create the reserve file in the instance's folder, if it is missing and there is plenty of space."""
    path = home / RESERVE
    try:
        if not path.exists() and room(home) > 8 * RESERVE_BYTES:
            scratch = path.with_suffix(f".{os.getpid()}.tmp")
            scratch.write_bytes(bytes(RESERVE_BYTES))
            scratch.replace(path)
    except OSError:  # the reserve is optional
        pass


def free_reserve(home: Path) -> bool:
    """Delete the reserve file if the disk is full; return whether the disk was full."""
    if not is_full(home):
        return False
    (home / RESERVE).unlink(missing_ok=True)
    return True


def _causes(error: BaseException) -> Iterator[str]:
    """Yield the signs of a full or read-only disk in an error and its causes; `full` for an error code."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in (*FULL_CODES, *_READ_ONLY_CODES):
            yield "full" if cause.errno in FULL_CODES else "read-only"
        elif isinstance(cause, sqlite3.Error) or hasattr(cause, "orig"):
            text = str(cause).lower()
            yield from (words for words in (*_FULL_WORDS, *_READ_ONLY_WORDS, *_VAGUE_WORDS) if words in text)
        cause = cause.__cause__ or getattr(cause, "orig", None) or cause.__context__


def _other_file(error: BaseException, folder: Path) -> Path | None:
    """Return the file that could not be written, if it is not below the folder."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str) or real_path(Path(name)).is_relative_to(real_path(folder)):
        return None
    return Path(name)


def _first_line(error: BaseException) -> str:
    return next(iter(str(getattr(error, "orig", None) or error).splitlines()), type(error).__name__)


def _existing(folder: Path) -> Path:
    return next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
