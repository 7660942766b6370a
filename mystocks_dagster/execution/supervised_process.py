"""The caller's handle on a task's process and its guard."""

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
#: Seconds that a guard has to end everything; after that it is stuck itself (the task may have sent it SIGSTOP).
_GUARD_OVERDUE = GRACE + 2.0
#: In the environment of every process of an attempt, so that they can be found when their guard was killed.
_MARK = "MYSTOCKS_ATTEMPT"


class SupervisedProcess:
    """The guard, the task's process and the pipes to them. Leaving the `with` block ends all that still runs.

    Attributes:
        status: The guard's status lines; end of file means that every process has ended.
        report: Records of the task's process.
        stdout: Output of the task's process and its children.
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
                # the whole environment is passed on; the task may work in another folder than the project's
                env={**os.environ, "MYSTOCKS_ROOT": str(find_root(Path.cwd())), _MARK: self._id},
                start_new_session=True,  # Ctrl-C, or a kill of this process's group, reaches the guard by `stop` only
            )
        finally:
            for end in (line, status, stdin, stdout, stderr, report):
                end.close()
        self._due = float("inf") if timeout is None else time.monotonic() + timeout + _GUARD_OVERDUE

    def send(self, attempt: bytes) -> None:
        """Send the task's process its attempt; do nothing when it has already ended."""
        try:
            with self._stdin:
                while attempt:
                    attempt = attempt[self._stdin.write(attempt) :]
        except BrokenPipeError:
            pass  # the guard reports how it ended

    def stop(self) -> None:
        """Request that the guard ends everything; `status` reaches its end when it has."""
        self._line.close()
        self._due = min(self._due, time.monotonic() + _GUARD_OVERDUE)

    def check(self) -> None:
        """Kill a guard that should have ended everything by now."""
        if time.monotonic() > self._due:
            self._guard.kill()

    def wait(self) -> None:
        """Wait for the guard's end; kill what it left behind if it was killed itself or is stuck."""
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
        """Kill every process that carries this attempt's mark, until none is left."""
        for _ in range(10):
            if not (marked := [process for process in psutil.process_iter() if self._is_marked(process)]):
                return
            for process in marked:
                with contextlib.suppress(psutil.Error):  # ended meanwhile
                    process.kill()
            psutil.wait_procs(marked, 0.5)

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._id
        except (psutil.Error, OSError):  # another user's, or ended
            return False


_GUARD = (sys.executable, "-I", "-S", process_guard.__file__)
_BODY = (sys.executable, "-P", child.__file__)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    """Return both ends as file objects, so that an interruption at any moment cannot leak a descriptor."""
    reading, writing = os.pipe()
    return open(reading, "rb", buffering=0), open(writing, "wb", buffering=0)  # noqa: PTH123
