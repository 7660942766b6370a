"""The caller's handle on the process of baostock's client; see `child`."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
import weakref
from contextlib import suppress
from typing import Any

from mystocks_dagster.sources.baostock import child

#: Bytes of the child's error output that a message quotes.
_TAIL = 300


class Unanswered(Exception):
    """A call without an answer: the deadline passed, or the process ended. The process is gone then."""


class ClientProcess:
    """One process of the client, started at the first call. It ends with this object, and with this process."""

    def __init__(self, host: str, port: int, deadline: float) -> None:
        """Prepare the process.

        Args:
            host: The server's name or address.
            port: The server's port.
            deadline: Seconds for one call; its process is killed after them.
        """
        self._command = [sys.executable, "-P", child.__file__, host, str(port), str(deadline)]
        self._deadline = deadline
        self._running: _Running | None = None

    @property
    def pid(self) -> int | None:
        """The pid of the process; None while there is none."""
        return self._running.process.pid if self._running else None

    def call(self, name: str, **arguments: str) -> dict[str, Any]:
        """Run a function of the client and return its answer, see `child.answer`.

        Raises:
            Unanswered: The deadline passed, or the process ended.
        """
        self._running = self._running or _Running(self._command)
        try:
            return self._running.ask({"call": name, "arguments": arguments}, self._deadline)
        except BaseException:
            self.close()  # an answer that comes later would be taken for that of the next call
            raise

    def close(self) -> None:
        """Kill the process."""
        if self._running:
            self._running.end()
            self._running = None


class _Running:
    """A started process and its pipes."""

    def __init__(self, command: list[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors)
        self._pending = b""
        self.end = weakref.finalize(self, _kill, self.process, self._errors)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Unanswered(self._ended()) from None
        return json.loads(self._line(time.monotonic() + seconds, f"did not answer within {seconds:g} s"))

    def _line(self, due: float, late: str) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self._pending:
            left = due - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Unanswered(late)
            received = os.read(self.process.stdout.fileno(), 1 << 20)
            if not received:
                raise Unanswered(self._ended())
            self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _ended(self) -> str:
        """Return how the process ended, with the end of its error output."""
        code = self.process.wait()
        self._errors.seek(0)
        text = " ".join(self._errors.read().decode(errors="replace").split())[-_TAIL:]
        return f"is not answered: the process of its client ended with code {code}{f' ({text})' if text else ''}"


def _kill(process: "subprocess.Popen[bytes]", errors: Any) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()
    errors.close()
