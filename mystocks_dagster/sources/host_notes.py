"""Where the state of each host's limit is kept: in files of this machine, or in a database that machines share."""

import fcntl
import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mystocks_dagster.errors import InstanceError, SettingsError, SourceUnavailable
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.tags import Storage

if TYPE_CHECKING:
    from mystocks_dagster.shared.values import Values

#: Seconds to wait for the other requests to a host; a slow response of one of them takes a minute.
_PATIENCE_SECONDS = 1800.0


class Note(Protocol):
    """The note of one host rule, while no other process may send a request under the rule."""

    def read(self) -> str:
        """Return its text; empty when there is none."""

    def write(self, text: str) -> None:
        """Replace its text."""


class HostNotes(Protocol):
    """The notes of all host rules."""

    def read(self, rule: str) -> str:
        """Return the text of a rule's note without waiting for its lock; empty when there is none."""

    def held(self, rule: str) -> AbstractContextManager[Note]:
        """Wait for the lock of a rule, and hold it during the block."""

    def removal(self, rule: str) -> str:
        """Return what a person does to remove a rule's note, as the end of a sentence."""


class FolderNotes:
    """Notes in a folder, for the processes of one machine; the lock of each is on its file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, rule: str) -> str:
        """Return the text of a rule's note."""
        path = self._path(rule)
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @contextmanager
    def held(self, rule: str) -> Generator[Note]:
        """Hold the lock of a rule.

        Raises:
            SettingsError: The folder is not writable.
            SourceUnavailable: The disk is full.
        """
        path = self._path(rule)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be written ({error.strerror}); it holds the request rate. Make its folder writable."
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield _FileNote(descriptor, path)
        finally:
            os.close(descriptor)

    def removal(self, rule: str) -> str:
        """Return what removes a rule's note."""
        return f"delete {self._path(rule)}"

    def _path(self, rule: str) -> Path:
        return self._folder / f"{rule}.json"


class _FileNote:
    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path = descriptor, path

    def read(self) -> str:
        return os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0).decode(errors="replace")

    def write(self, text: str) -> None:
        content = text.encode()
        try:
            # Not emptied first: on a full disk the day's count stays.
            os.pwrite(self._descriptor, content, 0)
            os.ftruncate(self._descriptor, len(content))
        except OSError as error:
            raise SourceUnavailable(
                f"{self._path} cannot be written ({error.strerror}); it holds the request rate. Free disk space."
            ) from error


class SharedNotes:
    """Notes in the database that the machines share: hosts ban the address that the machines may have in common."""

    def __init__(self, url: str, group: str = "") -> None:
        """Name the notes; nothing is asked yet.

        Args:
            url: The database, see `shared.place.database_url`.
            group: The stand-in whose requests are counted apart.
        """
        from mystocks_dagster.shared.values import Values

        self._url, self._prefix = url, f"{Storage.HOSTS}{group}/" if group else Storage.HOSTS
        self._values = Values(url)

    def read(self, rule: str) -> str:
        """Return the text of a rule's note."""
        return self._values.get(self._prefix + rule) or ""

    @contextmanager
    def held(self, rule: str) -> Generator[Note]:
        """Hold the lock of a rule.

        Raises:
            SourceUnavailable: The database does not answer, or other machines do not give the lock back.
        """
        from mystocks_dagster.shared.locks import Lock

        lock = Lock(self._url, self._prefix + rule, f"mystocks asks {rule}")
        try:
            taken = lock.take(_PATIENCE_SECONDS)
        except InstanceError as error:  # the task's retries wait for the database, as for a host
            raise SourceUnavailable(f"No requests under the rule {rule}, whose rate is kept there: {error}") from error
        if not taken:
            raise SourceUnavailable(
                f"Other processes have sent requests under the rule {rule} for {_PATIENCE_SECONDS / 60:.0f} minutes."
            )
        try:
            yield _SharedNote(self._values, self._prefix + rule)
        finally:
            lock.release()

    def removal(self, rule: str) -> str:
        """Return what removes a rule's note."""
        return f"run in the database: DELETE FROM kvs WHERE key = '{self._prefix}{rule}'"


class _SharedNote:
    def __init__(self, values: "Values", key: str) -> None:
        self._values, self._key = values, key

    def read(self) -> str:
        return self._values.get(self._key) or ""

    def write(self, text: str) -> None:
        try:
            self._values.set(self._key, text)
        except InstanceError as error:
            raise SourceUnavailable(f"The request rate cannot be kept: {error}") from error


def host_notes(settings: Settings, stand_in: str = "") -> HostNotes:
    """Return the notes of a project's hosts, or those of a stand-in, which are counted apart."""
    if url := database_url(settings.dagster_home):
        return SharedNotes(url, stand_in)
    return FolderNotes(settings.dagster_home / "hosts" / stand_in)
