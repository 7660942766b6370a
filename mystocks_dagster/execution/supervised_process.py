"""A task's process behind its guard, as the caller holds it."""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import psutil

from mystocks_dagster.execution import child, process_guard
from mystocks_dagster.settings import find_root

#: Seconds between SIGTERM and SIGKILL.
GRACE = 2.0
#: Seconds that a guard has to end everything; one that has not is stuck itself (stopped by its own body, for one).
_GUARD_OVERDUE = GRACE + 2.0
#: In the environment of every process of an attempt, so that they can be found when their guard is no more.
_MARK = "MYSTOCKS_ATTEMPT"


class SupervisedProcess:
    """Guard, body and the pipes to them. Leaving the `with` block ends whatever of them still runs.

    Attributes:
        status: What the guard says; at its end everything is over.
        report: The body's records.
        stdout: The body's and its children's.
        stderr: Likewise.
    """

    def __init__(self, timeout: float | None) -> None:
        self._id = uuid.uuid4().hex
        self.status, status = _pipe()
        self.report, report = _pipe()
        self.stdout, stdout = _pipe()
        self.stderr, stderr = _pipe()
        line, self._line = _pipe()
        stdin, self._stdin = _pipe()
        numbers = [end.fileno() for end in (stdin, stdout, stderr, report)]
        limits = ["-" if timeout is None else str(timeout), str(GRACE)]
        try:
            self._guard = subprocess.Popen(
                [*_GUARD, str(os.getpid()), *limits, *map(str, numbers[:3]), *_BODY, str(numbers[3])],
                stdin=line,
                stdout=status,
                pass_fds=numbers,
                # the whole environment passes through unread; the body may work in another folder than the project's
                env={**os.environ, "MYSTOCKS_ROOT": str(find_root(Path.cwd())), _MARK: self._id},
                start_new_session=True,  # a Ctrl-C at the terminal, or a kill of our group, is for us to pass on
            )
        finally:
            for end in (line, status, stdin, stdout, stderr, report):
                end.close()
        self._due = float("inf") if timeout is None else time.monotonic() + timeout + _GUARD_OVERDUE

    def send(self, attempt: bytes) -> None:
        """Give the body its attempt; nothing happens when it has already ended."""
        try:
            with self._stdin:
                while attempt:
                    attempt = attempt[self._stdin.write(attempt) :]
        except BrokenPipeError:
            pass  # the guard says how it ended

    def stop(self) -> None:
        """Ask the guard to end everything; `status` ends when it has."""
        self._line.close()
        self._due = min(self._due, time.monotonic() + _GUARD_OVERDUE)

    def check(self) -> None:
        """Kill a guard that should have ended everything by now."""
        if time.monotonic() > self._due:
            self._guard.kill()

    def wait(self) -> None:
        """Wait for the guard's end, and end by force what it left behind if it was killed itself or is stuck."""
        try:
            code = self._guard.wait(_GUARD_OVERDUE)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            code = self._guard.wait()
        if code != 0 or sys.platform != "linux":
            self._sweep()

    def __enter__(self) -> "SupervisedProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.wait()
        for end in (self.status, self.report, self.stdout, self.stderr, self._stdin):
            end.close()

    def _sweep(self) -> None:
        """Kill every process that carries this attempt's mark, until there is none."""
        for _ in range(10):
            if not (found := [process for process in psutil.process_iter() if self._is_marked(process)]):
                return
            for process in found:
                with contextlib.suppress(psutil.Error):  # gone meanwhile
                    process.kill()
            psutil.wait_procs(found, 0.5)

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._id
        except (psutil.Error, OSError):  # another user's, or gone
            return False


_GUARD = (sys.executable, "-I", "-S", process_guard.__file__)
_BODY = (sys.executable, "-P", child.__file__)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    """Return both ends as objects, so that an interruption at any moment cannot leave one open."""
    reading, writing = os.pipe()
    return open(reading, "rb", buffering=0), open(writing, "wb", buffering=0)  # noqa: PTH123
