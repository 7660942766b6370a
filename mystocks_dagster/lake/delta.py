"""The border to delta-rs: open, commit with retries, and turn its errors into ours."""

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from mystocks_dagster.errors import LakeUnavailable, LakeUnusable, TableDamaged
from mystocks_dagster.lake.damage import damage_message, data_damage, find_damage, log_damage
from mystocks_dagster.lake.location import local_path

#: A write that others keep overtaking gives up after this many seconds.
COMMIT_TIMEOUT = 120.0
_LONGEST_PAUSE = 1.0
#: How delta-rs words that another process wrote the first version of a table just now.
_EXISTS = ("already exists", "version 0")
#: A person must change the folder's rights, its name or what stands in its place; trying again mends nothing.
_RIGHTS = ("ReadOnlyFilesystem", "os error 30", "PermissionDenied", "os error 13")
_NO_FOLDER = ("os error 20", "os error 36", "os error 40", "os error 63", "File name too long", "Not a directory")
_FULL = ("os error 28", "StorageFull", "os error 27", "QuotaExceeded", "os error 122")


class LocalTable(DeltaTable):
    """A table in a folder, whose files are named as the operating system names them.

    delta-rs names them as in a URL, so that polars looks for `my%20lake` where `my lake` is.
    """

    @property
    def table_uri(self) -> str:
        """The folder, with a slash at its end."""
        return unquote(super().table_uri)

    def file_uris(self, *args: Any, **named: Any) -> list[str]:
        """Return the paths of the data files; arguments as delta-rs's."""
        return [unquote(uri) for uri in super().file_uris(*args, **named)]


def open_table(uri: str, version: int | None = None) -> DeltaTable | None:
    """Return the newest, or an older, version of a table; None when there is no table.

    Raises:
        LakeUnavailable: The folder cannot be read, or does not know that version any more.
        TableDamaged: Its transaction log is lost or damaged.
    """
    with translate_errors(uri):
        try:
            opened = (LocalTable if local_path(uri) else DeltaTable)(uri, version=version)
        except TableNotFoundError as error:
            # delta-rs says "not found" of an unreadable folder too; only the operating system's words tell.
            if "Os {" in str(error) and "NotFound" not in str(error):
                raise
            lost = log_damage(uri)
            if lost:
                raise TableDamaged(damage_message(uri, lost)) from None
            return None
    if version is None and (cut := log_damage(uri, newest=opened.version())):
        raise TableDamaged(damage_message(uri, cut))
    return opened


def check_files(opened: DeltaTable, uri: str, years: tuple[int | None, int | None] = (None, None)) -> None:
    """Refuse a table in a folder whose data files are lost or cut, before a reader stumbles over them.

    Args:
        opened: The version that will be read.
        uri: Where it is.
        years: First and last partition that will be read; None is no bound.

    Raises:
        TableDamaged: A file is missing, or not as long as the log says; the message names it.
    """
    if local_path(uri) and (damaged := data_damage(opened, uri, years=years)):
        raise TableDamaged(damage_message(uri, next(iter(damaged.values()))))


def commit(uri: str, attempt: Callable[[DeltaTable | None], None]) -> None:
    """Run `attempt` on the table's newest version, again from the then newest whenever another process was faster.

    Delta refuses a commit whose files or rows another one has changed in between, so nothing is lost; an attempt
    that is refused has left no trace in the table.

    Raises:
        LakeUnavailable: It cannot be written, or others kept writing for two minutes.
        TableDamaged: A file that the attempt needed is lost or damaged.
    """
    deadline = time.monotonic() + COMMIT_TIMEOUT
    pause = 0.02
    while True:
        existing = open_table(uri)
        with translate_errors(uri):
            try:
                return attempt(existing)
            except DeltaError as error:
                if not _overtaken(error, created=existing is None) or time.monotonic() > deadline:
                    raise
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE)


@contextmanager
def translate_errors(uri: str) -> Generator[None, None, None]:
    """Turn what delta-rs, polars or the operating system raise about a table, or a whole lake, into errors of ours.

    Raises:
        TableDamaged: A file of it is lost or damaged.
        LakeUnusable: Its rights or its kind do not allow it.
        LakeUnavailable: Anything else.
    """
    try:
        yield
    except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
        raise to_lake_error(uri, error) from error
    except BaseException as error:
        # What the libraries' machine code did not expect of a file is no Exception for Python.
        if type(error).__name__ != "PanicException":
            raise
        raise to_lake_error(uri, error) from error


def to_lake_error(uri: str, error: BaseException) -> Exception:
    """Return the error to raise instead of `error`, which came up while `uri` was read or written."""
    line = " ".join(str(error).split()).partition(" 0: <unknown>")[0]
    kind, said = _reason(line)
    damaged = None if kind is LakeUnusable or any(words in line for words in _FULL) else find_damage(uri)
    if damaged:
        return TableDamaged(damage_message(*damaged))
    return kind(f"{uri} cannot be used: {said}")


def _overtaken(error: DeltaError, *, created: bool) -> bool:
    text = str(error)
    if "os error" in text:
        return False
    return isinstance(error, CommitFailedError) or (created and any(words in text for words in _EXISTS))


def _reason(line: str) -> tuple[type[LakeUnavailable], str]:
    if any(words in line for words in _FULL):
        return LakeUnavailable, f"the disk is full. The table is as it was before; make room and run again. ({line})"
    if any(words in line for words in _RIGHTS):
        rights = (
            "the folder may not be read or written by this user. Change its rights, or set MYSTOCKS_LAKE to another."
        )
        return LakeUnusable, f"{rights} ({line})"
    kind = LakeUnusable if any(words in line for words in _NO_FOLDER) else LakeUnavailable
    return kind, f"{line}. Check MYSTOCKS_LAKE."
