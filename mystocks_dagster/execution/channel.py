"""Records from a task's process to its caller, over a pipe that forked workers may share.

A record is JSON. It is cut into pieces that a pipe takes whole (POSIX promises 512 bytes, Linux 4096), so that the
pieces of several processes may mix; each line is `PID NUMBER MORE PIECE`.
"""

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

_PIECE = 440


class Channel:
    """The writing end, in the task's process and those forked from it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._identity = _identity(descriptor)
        # the guard keeps its copy: the way back for a function that closes descriptors which it did not open
        self._door = f"/proc/{os.getppid()}/fd/{descriptor}"
        self._number = 0
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._forked)

    def send(self, kind: str, **fields: Any) -> None:
        """Send one record; it waits while the caller is busy, and drops it when the caller is gone."""
        text = json.dumps({"kind": kind, **fields}).encode()
        with self._lock:
            self._number += 1
            try:
                for start in range(0, len(text), _PIECE):
                    more = b"+" if start + _PIECE < len(text) else b"."
                    self._write(b"%d %d %b %b\n" % (os.getpid(), self._number, more, text[start : start + _PIECE]))
            except BrokenPipeError:
                pass  # the guard is about to end this process

    def _write(self, line: bytes) -> None:
        if _identity(self._descriptor) != self._identity:  # closed, or by now a file of the function's own
            try:
                self._descriptor = os.open(self._door, os.O_WRONLY | os.O_CLOEXEC)
            except OSError:  # only Linux has the door
                raise ConnectionError(
                    "the function closed the descriptor over which its logs and its result travel."
                ) from None
        os.write(self._descriptor, line)

    def _forked(self) -> None:
        self._lock = threading.RLock()


class Records:
    """The reading end: puts the pieces together."""

    def __init__(self) -> None:
        self._rest = b""
        self._open: dict[bytes, tuple[bytes, list[bytes]]] = {}

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yield the records that `chunk` completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            process, number, more, piece = line.split(b" ", 3)
            known, pieces = self._open.get(process, (number, []))
            if known != number:  # the record before was broken off by a signal
                pieces = []
            pieces.append(piece)
            self._open[process] = (number, pieces)
            if more == b".":
                del self._open[process]
                yield json.loads(b"".join(pieces))


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
