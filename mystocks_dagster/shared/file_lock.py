"""Locks on files: for the processes of one machine."""

import fcntl
import time

#: Seconds between two tries to take a lock that another process has.
_POLL_SECONDS = 0.02


def take_lock(descriptor: int, patience: float, *, shared: bool = False) -> bool:
    """Lock an open file; return False if another process keeps it locked.

    Args:
        descriptor: The open file; the lock is held until it is closed.
        patience: Seconds to wait for the holder of the lock.
        shared: Whether other readers may hold it at the same time.

    Raises:
        OSError: The file system does not support locks.
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
