"""Replacing a file as a whole: under a lock, at once or not at all, with the former content kept beside it."""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mystocks_dagster.errors import SettingsError

#: Seconds to wait for other editors; each holds the file for a second or two, and there may be a crowd.
_PATIENCE = 60.0
_POLL_SECONDS = 0.02


@contextmanager
def locked(path: Path, patience: float | None = None) -> Generator[None]:
    """Keep other editors of `path` waiting, in this process and in others.

    `patience` is how many seconds to wait for one.

    Raises:
        SettingsError: The folder cannot be written, or another editor does not finish.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be edited: {lock} cannot be made: {error.strerror}. Check the folder's permissions."
        ) from None
    try:
        patience = _PATIENCE if patience is None else patience
        if not take_lock(descriptor, patience):
            raise SettingsError(f"{path} is being edited by another process for {patience:.0f} s already; try again.")
        yield
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, patience: float, *, shared: bool = False) -> bool:
    """Lock an open file for this process, or (`shared`) for all that only read it; False when it stays taken.

    Args:
        descriptor: The open file's; the lock is held until it is closed.
        patience: How many seconds to wait for whoever holds the lock.
        shared: Whether others may have it at the same time.

    Raises:
        OSError: The file system knows no locks.
    """
    deadline = time.monotonic() + patience
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def tidy(path: Path) -> None:
    """Remove what edits of `path` that were killed have left beside it.

    Call it while the file is locked, so that none is under way.
    """
    ours = re.compile(rf"\.{re.escape(path.name)}(\.bak)?\.[a-z0-9_]{{8}}\.tmp")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if ours.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    Path(entry.path).unlink()


def replace(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file so that whoever reads it sees the old content or the new one, also after a power cut.

    Args:
        path: The file.
        content: What it will hold.
        mode: Who may read it; None keeps the mode of a file that is there, and lets everybody read a new one.

    Raises:
        SettingsError: It cannot be written; the file is as it was.
    """
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as file:
            kept = path.stat().st_mode & 0o777 if path.exists() else 0o644
            os.fchmod(file.fileno(), kept if mode is None else mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError as error:
        if scratch:
            Path(scratch).unlink(missing_ok=True)
        raise SettingsError(f"{path} cannot be written: {error.strerror}. It is as it was.") from None
