"""A bell: any process of this machine and user rings it, and the one process that listens wakes at once.

It is a named pipe in the instance's folder. On a file system without named pipes nobody hears it, and the listener
wakes at its own interval.
"""

import contextlib
import os
import select
import stat
from pathlib import Path

#: In the instance's folder: rung when a run is queued and when one has ended.
QUEUE_BELL = "queue.bell"


def ring(path: Path) -> None:
    """Wake the listener of the bell at `path`; do nothing when nobody listens."""
    with contextlib.suppress(OSError):  # no such pipe, no listener, or it has been rung often enough
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b".")
        finally:
            os.close(descriptor)


class Bell:
    """The listener's side; leaving the `with` block ends it."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            if not path.exists():
                os.mkfifo(path, 0o600)
            if path.is_fifo():
                # For writing too: otherwise the pipe would be at its end whenever nobody is about to ring.
                self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> bool:
        """Wait until somebody rings, at most `seconds`; return whether somebody has. Rings before the call count."""
        listened = [] if self._descriptor is None else [self._descriptor]
        ready, _, _ = select.select(listened, [], [], seconds)
        for descriptor in ready:
            os.read(descriptor, 65_536)
        return bool(ready)

    def __enter__(self) -> "Bell":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
