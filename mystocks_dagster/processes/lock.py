"""A lock that a process holds until it ends, and that names its holder.

The kernel's lock on the file decides, so a kill, a reboot or a reused pid leaves nothing behind. The content of the
file is for messages only, unless the file system has no locks: then it decides.
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
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.shared.file_lock import take_lock

#: File in the instance's folder that the process of a daemon locks.
DAEMON_LOCK = "daemon.lock"
#: File in the instance's folder that `mystocks ui` locks.
UI_LOCK = "ui.lock"
#: Seconds to wait for the lock: a process that only reads the holder has it for a moment.
_PATIENCE = 1.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
#: Descriptors of the locks that this process holds.
_held: dict[Path, int] = {}


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a lock.

    Attributes:
        pid: Its pid; 0 when it could not be read.
        host: Name of the machine on which it runs.
        parent: Pid of the process that started it.
        identity: Its identity, valid on its own machine.
    """

    pid: int
    host: str
    parent: int
    identity: ProcessIdentity | None

    @property
    def orphaned(self) -> bool:
        """Whether the process that started it has ended: a child of `mystocks ui` then ends soon."""
        try:
            return self.host == platform.node() and psutil.Process(self.pid).ppid() != self.parent
        except psutil.Error:
            return True

    def __str__(self) -> str:
        """Return its name in messages."""
        elsewhere = f" on {self.host}" if self.host and self.host != platform.node() else ""
        return f"process {self.pid or 'unknown'}{elsewhere}"


class LockHeld(InstanceError):
    """Another process holds the lock.

    Attributes:
        holder: That process.
    """

    remedy = "Stop the process whose number the message has, or use that one."

    def __init__(self, message: str, holder: Holder) -> None:
        super().__init__(message)
        self.holder = holder


def claim(path: Path, what: str) -> None:
    """Hold the lock until this process ends; do nothing if this process holds it already.

    Args:
        path: The lock's file.
        what: Subject of the error message, such as `A daemon`.

    Raises:
        LockHeld: Another process holds it.
        InstanceError: The file cannot be written.
    """
    path = real_path(path)
    if path in _held:
        return
    try:
        # Python closes descriptors in programs that it starts, so a run's worker never holds the lock.
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
        os.pwrite(descriptor, json.dumps(_content()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    _held[path] = descriptor


def release(path: Path) -> None:
    """Release the lock before this process ends."""
    descriptor = _held.pop(real_path(path), None)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def holder(path: Path) -> Holder | None:
    """Return the holder of the lock; None when it is free."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _locked(descriptor, shared=True, patience=0) else _read(descriptor)
    finally:
        os.close(descriptor)


def killed(path: Path) -> int | None:
    """Return the pid of a process of this machine that ended without releasing the lock; None if there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        last = _read(descriptor)
    finally:
        os.close(descriptor)
    ended = last.identity is not None and last.host == platform.node() and not last.identity.alive()
    return last.pid if ended and holder(path) is None else None


def _locked(descriptor: int, *, shared: bool = False, patience: float = _PATIENCE) -> bool:
    try:
        return take_lock(descriptor, patience, shared=shared)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        identity = _read(descriptor).identity
        return identity is None or identity == ProcessIdentity.current() or not identity.alive()


def _content() -> Mapping[str, Any]:
    return {**ProcessIdentity.current().to_dict(), "host": platform.node(), "parent": os.getppid()}


def _read(descriptor: int) -> Holder:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        identity = ProcessIdentity.from_dict(content)
        return Holder(pid=identity.pid, host=content["host"], parent=content["parent"], identity=identity)
    except (ValueError, KeyError, TypeError):  # the holder has not written yet
        return Holder(pid=0, host="", parent=0, identity=None)


def _close_in_forked_copy() -> None:
    """Close the descriptors that a fork without exec has copied: it may outlive the holder."""
    for descriptor in _held.values():
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_forked_copy)
