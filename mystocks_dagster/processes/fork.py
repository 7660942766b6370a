"""Forks of this process, on Linux: they share the memory of what it has imported. See docs/decisions/0073."""

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from types import ModuleType

from mystocks_dagster.processes.log_lines import do_not_use_json
from mystocks_dagster.processes.title import set_title

_SELF = Path("/proc/self")
#: Signals that a fork gets only when it no longer has the handlers of its parent.
_STOPS = {signal.SIGINT, signal.SIGTERM}


def in_a_fork(work: Callable[[], None]) -> None:
    """Do work in a fork, so that what it imports and opens is not kept; where that fails, this process does it.

    A process with threads cannot be forked safely, and on macOS none can: such a process does the work itself, as it
    does after a failed fork, so that an error is raised here.
    """
    if not can_fork():
        work()
        return
    if (child := os.fork()) == 0:
        done = False
        try:
            work()
            done = True
        finally:
            os._exit(0 if done else 1)
    if os.waitpid(child, 0)[1]:
        work()


def can_fork() -> bool:
    """Return whether a fork of this process is safe: it has one thread, also counting those of libraries."""
    return sys.platform == "linux" and len(list((_SELF / "task").iterdir())) == 1


class Fork:
    """A process that was forked from this one, with the part of `subprocess.Popen` that its owners use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, negative after a signal; None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for its end and return its exit code."""
        return self._wait(0)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:  # the system reaps where this process was started so; the code is lost
                pid, status = self.pid, 0
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


def fork(work: Callable[[], object], title: str, keep: Collection[int] = (), *, new_session: bool = False) -> Fork:
    """Start a process that does work and ends.

    It begins like a new program: with the signals' default actions, an empty input, no log handlers, and no open file
    but its output and errors. `can_fork` must hold. Functions registered with `atexit` are not called in it.

    Args:
        work: What it does. It ends with the code of a SystemExit, and with 1 after another exception.
        title: What `ps` shows behind `mystocks:`.
        keep: Descriptors that stay open in it.
        new_session: Whether it leads a session of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # otherwise both would write what is in the buffer
    begun, beginning = os.pipe()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        if (pid := os.fork()) == 0:
            code = 1
            try:
                code = _exit_code(lambda: (_begin(title, keep, new_session=new_session), work()))
                threading._shutdown()  # ty: ignore[missing-attribute] - waits for threads, as Python's end does
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(OSError, ValueError):
                        stream.flush()
                os._exit(code)
        os.close(beginning)
        os.read(begun, 1)  # nothing comes: the fork has closed it, and can be found by its session and its title
        os.close(begun)
        return Fork(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin(title: str, keep: Collection[int], *, new_session: bool) -> None:
    if new_session:
        os.setsid()
    set_title(title)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    do_not_use_json()
    # What `multiprocessing` starts from here must not execute the parent's program.
    sys.modules["__main__"] = ModuleType("__main__")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor in [int(name) for name in os.listdir(_SELF / "fd")]:  # noqa: PTH208 - only the names
        if descriptor > 2 and descriptor not in keep:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(descriptor)


def _exit_code(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201 - as Python does
        return 1
    except BaseException:  # noqa: BLE001 - the stack below belongs to the parent
        traceback.print_exc()
        return 1
    return 0
