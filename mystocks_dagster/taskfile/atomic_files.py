"""Atomic replacement of files, and the lock for their editors."""

import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.shared.file_lock import take_lock

#: Seconds to wait for other editors; each holds the lock for a second or two, and several may wait.
_PATIENCE = 60.0


@contextmanager
def locked(path: Path, patience: float | None = None) -> Generator[None]:
    """Hold the lock of `path` against other editors, in this process and in others.

    Args:
        path: The file.
        patience: Seconds to wait for another editor.

    Raises:
        SettingsError: The folder cannot be written, or another editor does not finish.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be edited: {lock} cannot be created: {error.strerror}. Check the folder's permissions."
        ) from None
    try:
        patience = _PATIENCE if patience is None else patience
        if not take_lock(descriptor, patience):
            raise SettingsError(f"{path} has been locked by another editor for {patience:.0f} s; try again.")
        yield
    finally:
        os.close(descriptor)


def tidy(path: Path) -> None:
    """Remove temporary files that killed edits of `path` have left beside it; call it while the file is locked."""
    temporary = re.compile(rf"\.{re.escape(path.name)}(\.bak)?\.[a-z0-9_]{{8}}\.tmp")
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if temporary.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    Path(entry.path).unlink()


def replace(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace a file atomically: readers see the old content or the new one, also after a power cut.

    Args:
        path: The file.
        content: Its new content.
        mode: Its permissions; None keeps those of an existing file, and makes a new one readable for all.

    Raises:
        SettingsError: The file cannot be written; it is unchanged.
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
        raise SettingsError(f"{path} cannot be written: {error.strerror}. The file is unchanged.") from None
