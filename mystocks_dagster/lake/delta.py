"""The border to delta-rs: open, commit with retries, and turn its errors into ours."""

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from mystocks_dagster.errors import LakeUnavailable

#: A write that others keep overtaking gives up after this many seconds.
PATIENCE = 120.0
_LONGEST_PAUSE = 1.0
#: How delta-rs words that another process wrote the first version of a table just now.
_EXISTS = ("already exists", "version 0")


def open_table(uri: str, version: int | None = None) -> DeltaTable | None:
    """Return the newest, or an older, version of a table; None when there is no table.

    Raises:
        LakeUnavailable: The folder cannot be read, or does not know that version any more.
    """
    with explained(uri):
        try:
            return DeltaTable(uri, version=version)
        except TableNotFoundError as error:
            # delta-rs says "not found" of an unreadable folder too; only the operating system's words tell.
            if "Os {" in str(error) and "NotFound" not in str(error):
                raise
            return None


def commit(uri: str, attempt: Callable[[DeltaTable | None], None]) -> None:
    """Run `attempt` on the table's newest version, again from the then newest whenever another process was faster.

    Delta refuses a commit whose files or rows another one has changed in between, so nothing is lost; an attempt
    that is refused has left no trace in the table.

    Raises:
        LakeUnavailable: It cannot be written, or others kept writing for two minutes.
    """
    deadline = time.monotonic() + PATIENCE
    pause = 0.02
    while True:
        existing = open_table(uri)
        with explained(uri):
            try:
                return attempt(existing)
            except DeltaError as error:
                if not _overtaken(error, created=existing is None) or time.monotonic() > deadline:
                    raise
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def explained(uri: str) -> Generator[None, None, None]:
    """Turn what delta-rs, polars or the operating system raise about `uri` into `LakeUnavailable`."""
    try:
        yield
    except (DeltaError, OSError, pl.exceptions.ComputeError) as error:
        raise LakeUnavailable(f"{uri} cannot be used: {_reason(str(error))}") from error


def _overtaken(error: DeltaError, *, created: bool) -> bool:
    text = str(error)
    if "os error" in text:
        return False
    return isinstance(error, CommitFailedError) or (created and any(words in text for words in _EXISTS))


def _reason(text: str) -> str:
    line = " ".join(text.split())
    if "os error 28" in line or "StorageFull" in line or "os error 27" in line or "QuotaExceeded" in line or "os error 122" in line:
        return f"the disk is full. The table is as it was before; make room and run again. ({line})"
    if "ReadOnlyFilesystem" in line or "os error 30" in line or "PermissionDenied" in line or "os error 13" in line:
        return f"the folder may not be read or written by this user. Change its rights, or set MYSTOCKS_LAKE to another. ({line})"
    return f"{line}. Check MYSTOCKS_LAKE."
