"""A lock that a process holds for its life, and that says which process that is.

The kernel's lock on the file decides, so nothing is left behind by a kill, a reboot or a number given to another
process. What
is written in the file is only for the message. Where the file system has no locks, it decides.
"""

import errno
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.taskfile.atomic_files import take_lock

#: The lock of whoever runs a daemon on the instance, in the instance's folder.
DAEMON_LOCK = "daemon.lock"
#: The lock of whoever runs `mystocks ui`.
UI_LOCK = "ui.lock"
#: Another process looks at the lock for a moment only; a holder keeps it.
_PATIENCE = 1.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
#: The descriptors of the locks that this process holds until it ends.
_held: dict[Path, int] = {}


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lock.

    Attributes:
        pid: Its number; 0 when it could not be read.
        host: The machine on which it runs.
        parent: The process that started it.
        identity: The process, for a question on its own machine.
    """

    pid: int
    host: str
    parent: int
    identity: ProcessIdentity | None

    @property
    def orphaned(self) -> bool:
        """Whether the process that started it has ended: a child of `mystocks ui` is then about to end too."""
        try:
            return self.host == platform.node() and psutil.Process(self.pid).ppid() != self.parent
        except psutil.Error:
            return True

    def __str__(self) -> str:
        """Return how messages name it."""
        elsewhere = f" on {self.host}" if self.host and self.host != platform.node() else ""
        return f"process {self.pid or 'unknown'}{elsewhere}"


class LockHeld(InstanceError):
    """Another process holds the lock.

    Attributes:
        holder: That process.
    """

    def __init__(self, message: str, holder: Holder) -> None:
        super().__init__(message)
        self.holder = holder


def claim(path: Path, what: str) -> None:
    """Hold the lock until this process ends; do nothing when it holds it already.

    Args:
        path: The lock's file.
        what: What only one process may run, for the message, such as `A daemon`.

    Raises:
        LockHeld: Another process holds it.
        InstanceError: The file cannot be written.
    """
    path = path.resolve()
    if path in _held:
        return
    try:
        # Python's descriptors are closed in programs that this process starts: a run's worker never holds the lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InstanceError(
            f"{path}: cannot be written ({error.strerror}). Choose another folder with DAGSTER_HOME."
        ) from None
    try:
        if not _locked(descriptor):
            holder = _read(descriptor)
            raise LockHeld(
                f"{what} runs already on this instance: {holder}, which holds {path}. Stop it first.", holder
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(_note()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    _held[path] = descriptor


def release(path: Path) -> None:
    """Give the lock up before this process ends."""
    descriptor = _held.pop(path.resolve(), None)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return who holds the lock; None when nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _locked(descriptor, shared=True, patience=0) else _read(descriptor)
    finally:
        os.close(descriptor)


def killed(path: Path) -> int | None:
    """Return the number of a process of this machine that held the lock and has ended without giving it up.

    None for none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        left = _read(descriptor)
    finally:
        os.close(descriptor)
    gone = left.identity is not None and left.host == platform.node() and not left.identity.alive()
    return left.pid if gone and holder(path) is None else None


def _locked(descriptor: int, *, shared: bool = False, patience: float = _PATIENCE) -> bool:
    try:
        return take_lock(descriptor, patience, shared=shared)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        identity = _read(descriptor).identity
        return identity is None or identity == ProcessIdentity.current() or not identity.alive()


def _note() -> Mapping[str, Any]:
    return {**ProcessIdentity.current().to_dict(), "host": platform.node(), "parent": os.getppid()}


def _read(descriptor: int) -> Holder:
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        identity = ProcessIdentity.from_dict(note)
        return Holder(pid=identity.pid, host=note["host"], parent=note["parent"], identity=identity)
    except (ValueError, KeyError, TypeError):  # it holds the lock and has not written yet
        return Holder(pid=0, host="", parent=0, identity=None)


def _close_in_forked_copy() -> None:
    """Give up what a fork without exec has copied: its parent may end before it."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_forked_copy)
