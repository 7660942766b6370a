"""Access to delta-rs: open tables, commit with retries, translate errors."""

import os
import random
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from mystocks_dagster import disk_errors
from mystocks_dagster.errors import LakeUnavailable, LakeUnusable, TableDamaged
from mystocks_dagster.lake.damage import commit_info, commits, damage_message, data_damage, find_damage, log_damage
from mystocks_dagster.lake.location import local_path

#: Seconds after which a commit that keeps conflicting with other writers fails.
COMMIT_TIMEOUT = 120.0
_LONGEST_PAUSE = 1.0
#: Words of delta-rs when another process has just created the table.
_EXISTS = ("already exists", "version 0")
#: Only a person can mend these (permissions, the folder's name or kind); a retry does not help.
_READ_ONLY = ("ReadOnlyFilesystem", "os error 30", "Errno 30")
_RIGHTS = ("PermissionDenied", "os error 13", "Errno 13")
#: delta-rs marks the parts of an error by colours.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Words of object stores.
_NO_BUCKET = ("NoSuchBucket",)
_NO_CREDENTIALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403 Forbidden", "401 Unauthorized")
_NO_ANSWER = ("error sending request", "tcp connect error", "dns error", "operation timed out")
_NO_FOLDER = ("os error 20", "os error 36", "os error 40", "os error 63", "File name too long", "Not a directory")
_FULL = (
    *(f"{kind} {number}" for kind in ("os error", "Errno") for number in (27, 28, 122)),
    "StorageFull",
    "QuotaExceeded",
)


#: delta-rs makes a checkpoint after 100 versions: a table with 60 commits since then takes five times as long to open.
_BETWEEN_CHECKPOINTS = 20


class LocalTable(DeltaTable):
    """A table in a folder, whose files are named as the operating system names them.

    delta-rs names them as in a URL, so that polars looks for `my%20lake` where `my lake` is. It also looks through the
    whole log for each transaction, so what a version says is remembered.
    """

    _transactions: dict[tuple[int, str], int | None]

    def transaction_version(self, app_id: str) -> int | None:
        """Return the number of an application transaction; None if it was never made."""
        known = vars(self).setdefault("_transactions", {})
        key = (self.version(), app_id)
        if key not in known:
            known[key] = super().transaction_version(app_id)
        return known[key]

    def history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the metadata of the newest commits, with their versions, the newest first; all without a limit.

        In a folder with `#` or `?` in its name delta-rs finds none of them.
        """
        if found := super().history(limit):
            return found
        folder = self.table_uri.rstrip("/")
        versions = [number for number in reversed(commits(folder)) if number <= self.version()]
        return [{**commit_info(folder, number), "version": number} for number in versions[:limit]]

    @property
    def table_uri(self) -> str:
        """The folder, with a trailing slash."""
        return unquote(super().table_uri)

    def file_uris(self, *args: Any, **named: Any) -> list[str]:
        """Return the paths of the data files; arguments as in delta-rs."""
        return [unquote(uri) for uri in super().file_uris(*args, **named)]


def open_table(uri: str, version: int | None = None) -> DeltaTable | None:
    """Open the newest or an older version of a table; None when the table does not exist.

    Raises:
        LakeUnavailable: The folder cannot be read, or the version no longer exists.
        TableDamaged: Its transaction log is missing or damaged.
    """
    with translate_errors(uri):
        try:
            opened = (LocalTable if local_path(uri) else DeltaTable)(uri, version=version)
        except TableNotFoundError as error:
            # delta-rs reports "not found" for an unreadable folder too; only the system's error text differs.
            if "Os {" in str(error) and "NotFound" not in str(error):
                raise
            damage = log_damage(uri)
            if damage:
                raise TableDamaged(damage_message(uri, damage)) from None
            return None
    if version is None and (damage := log_damage(uri, newest=opened.version())):
        raise TableDamaged(damage_message(uri, damage))
    return opened


class Commit(NamedTuple):
    """A commit in the log of a table in a folder: its version, and what tells its file from another of that name."""

    version: int
    inode: int
    written: int


def commit_of(folder: str, version: int) -> Commit | None:
    """Return a commit of a table in a folder if it is the newest one; None if another followed, or it is gone.

    Asking the system for two files takes a hundredth of opening the log.
    """
    log = f"{folder}/_delta_log"
    try:
        file = os.stat(f"{log}/{version:020d}.json")  # noqa: PTH116
    except OSError:
        return None
    following = os.path.exists(f"{log}/{version + 1:020d}.json")  # noqa: PTH110
    return None if following else Commit(version, file.st_ino, file.st_mtime_ns)


def check_files(opened: DeltaTable, uri: str, years: tuple[int | None, int | None] = (None, None)) -> None:
    """Raise an error when data files of a table in a local folder are missing or truncated.

    Args:
        opened: The version that will be read.
        uri: Where it is.
        years: First and last partition that will be read; None is no bound.

    Raises:
        TableDamaged: A file is missing or its size differs from the log; the message names it.
    """
    if local_path(uri) and (damaged := data_damage(opened, uri, years=years)):
        raise TableDamaged(damage_message(uri, next(iter(damaged.values()))))


def commit(uri: str, attempt: Callable[[DeltaTable | None], None]) -> None:
    """Run `attempt` on the table's newest version; after a conflict with another writer, run it on the new version.

    Delta rejects a commit whose files or rows another commit has changed meanwhile, so no write is lost. A rejected
    attempt leaves the table unchanged.

    Raises:
        LakeUnavailable: The table cannot be written, or commits conflicted for two minutes.
        TableDamaged: A file that the attempt needed is missing or damaged.
    """
    deadline = time.monotonic() + COMMIT_TIMEOUT
    pause = 0.02
    while True:
        existing = open_table(uri)
        number = existing.version() if existing is not None else 0
        with translate_errors(uri):
            try:
                attempt(existing)
                return _keep_log_short(uri, number + 1)
            except DeltaError as error:
                if not _is_conflict(error, created=existing is None) or time.monotonic() > deadline:
                    raise
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, _LONGEST_PAUSE)


def _keep_log_short(uri: str, version: int) -> None:
    """Write a checkpoint after every `_BETWEEN_CHECKPOINTS` versions; a reader needs only the commits after it."""
    if version % _BETWEEN_CHECKPOINTS == 0:
        with suppress(DeltaError, OSError):  # the commit is stored, and the log can be read without it
            DeltaTable(uri).create_checkpoint()


@contextmanager
def translate_errors(uri: str) -> Generator[None, None, None]:
    """Translate errors of delta-rs, polars and the operating system about a table or a lake into lake errors.

    Raises:
        TableDamaged: A file of it is missing or damaged.
        LakeUnusable: Permissions or the kind of the folder do not allow access.
        LakeUnavailable: Any other error.
    """
    try:
        yield
    except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
        raise to_lake_error(uri, error) from error
    except BaseException as error:
        # A panic of the native libraries, as for a corrupted file, is not an Exception.
        if type(error).__name__ != "PanicException":
            raise
        raise to_lake_error(uri, error) from error


def to_lake_error(uri: str, error: BaseException) -> Exception:
    """Return the lake error for `error`, which was raised while `uri` was read or written."""
    line = " ".join(_COLOUR.sub("", str(error)).split()).partition(" 0: <unknown>")[0]
    kind, reason = _reason(uri, line)
    # A store that does not answer would be asked for minutes.
    hopeless = kind is LakeUnusable or any(words in line for words in (*_FULL, *_NO_ANSWER))
    damaged = None if hopeless else find_damage(uri)
    if damaged:
        return TableDamaged(damage_message(*damaged))
    return kind(f"{uri} cannot be used: {reason}")


def _full_disk(uri: str, line: str) -> str:
    if (folder := local_path(uri)) is None:
        return f"the disk is full. The table is unchanged. Free disk space and run again. ({line})"
    free, total = disk_errors.megabytes(Path(folder))
    return (
        "the disk is full. The table is unchanged. "
        f"Free disk space and run again; {free:,.1f} of {total:,.1f} MB are free. ({line})"
    )


def _is_conflict(error: DeltaError, *, created: bool) -> bool:
    text = str(error)
    if "os error" in text:
        return False
    return isinstance(error, CommitFailedError) or (created and any(words in text for words in _EXISTS))


def _reason(uri: str, line: str) -> tuple[type[LakeUnavailable], str]:
    if any(words in line for words in _FULL):
        return LakeUnavailable, _full_disk(uri, line)
    if any(words in line for words in _NO_BUCKET):
        return LakeUnusable, f"there is no such bucket. Create it, or correct MYSTOCKS_LAKE. ({line})"
    if any(words in line for words in _NO_CREDENTIALS):
        remedy = "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give their user the right to read and write."
        return LakeUnusable, f"the store refuses these credentials. {remedy} ({line})"
    if any(words in line for words in _READ_ONLY):
        remedy = "Mount it for writing, or set MYSTOCKS_LAKE to another folder."
        return LakeUnusable, f"its file system is read-only. {remedy} ({line})"
    if any(words in line for words in _RIGHTS):
        remedy = "Change its permissions, or set MYSTOCKS_LAKE to another folder."
        return LakeUnusable, f"this user may not read or write the folder. {remedy} ({line})"
    if any(words in line for words in _NO_ANSWER):
        return LakeUnavailable, f"the store does not answer. Check the network and AWS_ENDPOINT_URL. ({line})"
    kind = LakeUnusable if any(words in line for words in _NO_FOLDER) else LakeUnavailable
    return kind, f"{line}. Check MYSTOCKS_LAKE."
