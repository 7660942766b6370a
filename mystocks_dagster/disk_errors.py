"""What the operating system or a database says when a disk is full or read-only, in words that name the folder and the way out.

The only place that reads such errors: commands, REST and the daemon's launcher ask it.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.errors import InstanceError

#: With less room than this a database cannot work reliably.
TIGHT_BYTES = 2_000_000
#: Kept aside while there is room, and given up by a clean-up on a full disk: a database needs room even to delete.
RESERVE, RESERVE_BYTES = "reserve", 1_000_000
_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_READ_ONLY_CODES = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL_WORDS = ("disk is full", "no space left", "disk quota", "diskfull")
_READ_ONLY_WORDS = ("readonly database", "read-only file system", "permission denied")
#: SQLite says these for several reasons; the disk tells which.
_VAGUE_WORDS = ("disk i/o error", "unable to open database file", "attempt to write")


def explain(error: BaseException, folder: Path) -> InstanceError | None:
    """Return what an error means for a person, when a full or read-only disk under the instance's folder caused it."""
    texts = list(_told(error))
    if texts and (elsewhere := _elsewhere(error, folder)):
        return InstanceError(
            f"{elsewhere}: cannot be written ({_first_line(error)}). Make room or make it writable, or choose another place."
        )
    if any(text in ("full", *_FULL_WORDS) for text in texts) or (texts and room(folder) < TIGHT_BYTES):
        return InstanceError(full(folder))
    if texts:
        return InstanceError(
            f"{folder}: cannot be written ({_first_line(error)}). Make it writable, or choose another folder with DAGSTER_HOME."
        )
    return None


def full(folder: Path) -> str:
    """Return that the disk of a folder is full, with its free space and the remedy."""
    usage = shutil.disk_usage(_existing(folder))
    return (
        f"The disk of {folder} is full: {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.1f} MB are free. "
        "Make room: remove old runs with `mystocks cleanup --days 30`, which works on a full disk, or delete other files there."
    )


def is_full(folder: Path) -> bool:
    """Say whether there is too little room for a database to work."""
    return room(folder) < TIGHT_BYTES


def room(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder, which need not exist."""
    return shutil.disk_usage(_existing(folder)).free


def keep_reserve(home: Path) -> None:
    """Keep some room aside in the instance's folder, if there is plenty and none is kept yet."""
    path = home / RESERVE
    try:
        if not path.exists() and room(home) > 8 * RESERVE_BYTES:
            scratch = path.with_suffix(f".{os.getpid()}.tmp")
            scratch.write_bytes(bytes(RESERVE_BYTES))
            scratch.replace(path)
    except OSError:  # it is for a worse day
        pass


def free_reserve(home: Path) -> bool:
    """Give up the room that is kept aside, when the disk is full; return whether the disk was full."""
    if not is_full(home):
        return False
    (home / RESERVE).unlink(missing_ok=True)
    return True


def _told(error: BaseException) -> Iterator[str]:
    """Yield what in an error and its causes speaks of a full or read-only disk; `full` for a code of the system."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno in (*_FULL_CODES, *_READ_ONLY_CODES):
            yield "full" if one.errno in _FULL_CODES else "read-only"
        elif isinstance(one, sqlite3.Error) or hasattr(one, "orig"):
            text = str(one).lower()
            yield from (words for words in (*_FULL_WORDS, *_READ_ONLY_WORDS, *_VAGUE_WORDS) if words in text)
        one = one.__cause__ or getattr(one, "orig", None) or one.__context__


def _elsewhere(error: BaseException, folder: Path) -> Path | None:
    """Return the file that could not be written, when it is not below the folder."""
    name = getattr(error, "filename", None)
    if not isinstance(name, str) or Path(name).resolve().is_relative_to(folder.resolve()):
        return None
    return Path(name)


def _first_line(error: BaseException) -> str:
    return next(iter(str(getattr(error, "orig", None) or error).splitlines()), type(error).__name__)


def _existing(folder: Path) -> Path:
    return next((one for one in (folder, *folder.parents) if one.exists()), Path("/"))
