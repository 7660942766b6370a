"""Records from a task's process to its caller, over a pipe that forked workers may share.

A record is JSON. It is cut into pieces that are written atomically (POSIX promises 512 bytes, Linux 4096), so the
pieces of several processes may interleave. Each line is `PID NUMBER MORE PIECE`.
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
        # The guard keeps a copy, which is opened again after the function closed descriptors that are not its own.
        self._copy = f"/proc/{os.getppid()}/fd/{descriptor}"
        self._number = 0
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._forked)

    def send(self, kind: str, **fields: Any) -> None:
        """Send one record. Blocks while the caller is busy; drops the record when the caller has ended."""
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
        if _identity(self._descriptor) != self._identity:  # closed, or reused for a file of the function
            try:
                self._descriptor = os.open(self._copy, os.O_WRONLY | os.O_CLOEXEC)
            except OSError:  # only Linux has /proc
                raise ConnectionError(
                    "the function closed the file descriptor that carries its logs and its result."
                ) from None
        os.write(self._descriptor, line)

    def _forked(self) -> None:
        self._lock = threading.RLock()


class Records:
    """The reading end: joins the pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._open: dict[bytes, tuple[bytes, list[bytes]]] = {}

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Yield the records that `chunk` completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            process, number, more, piece = line.split(b" ", 3)
            known, pieces = self._open.get(process, (number, []))
            if known != number:  # a signal interrupted the record before
                pieces = []
            pieces.append(piece)
            self._open[process] = (number, pieces)
            if more == b".":
                del self._open[process]
                yield json.loads(b"".join(pieces))


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino
