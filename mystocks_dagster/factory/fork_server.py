"""The fork server: a process that has imported Dagster, and from which the process of each run is forked.

A new interpreter spends a second of processor time on imports before a run begins; a fork takes milliseconds and shares
the memory of what is imported. See docs/decisions/0062. It is used on Linux only, where the server can see that no
other thread exists in it, which a fork would not copy.
"""

import contextlib
import importlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from mystocks_dagster.execution.heartbeat import ProcessIdentity
from mystocks_dagster.processes.fork import can_fork
from mystocks_dagster.processes.forker import OF_RUNS, keep_forker, take_forker
from mystocks_dagster.processes.messages import receive, send

_SERVER = "from mystocks_dagster.factory.forking import main; main()"
#: In the run's folder: the process that the server forked for it, written before it may begin.
IDENTITY_FILE = "worker.json"
#: Seconds for one fork; a server that takes longer is ended.
_FORK_SECONDS = 20.0


class ForkServer:
    """The caller's side of the fork server, which ends together with the caller.

    Args:
        modules: What it imports beyond the modules that every run needs.
        patience: Seconds for which `ready` waits for the end of its imports.
    """

    def __init__(self, modules: Iterable[str] = (), *, patience: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._patience = patience
        forker = take_forker()
        self._process, self._line = (forker.process, forker.line) if forker else _new_interpreter()
        with contextlib.suppress(OSError):  # it has ended, as `alive` will tell
            send(self._line, sorted(modules))
        self._ready = False

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def alive(self) -> bool:
        """Return whether its process runs."""
        return self._process.poll() is None

    def ready(self) -> bool:
        """Return whether it has done its imports and can fork."""
        if not self._ready:
            try:
                self._line.settimeout(self._patience)
                self._ready = self._line.recv(1) == b"."
            except OSError:  # not yet, or it has ended
                return False
        return self._ready and self.alive()

    def fork(self, arguments: str, folder: Path, environment: Mapping[str, str]) -> ProcessIdentity | None:
        """Fork the process of a run; return None if the server could not, and then no process of the run exists.

        Args:
            arguments: The argument of the run's process.
            folder: The run's folder, which exists; the process's output is added to its `worker.log`.
            environment: All variables of the process.
        """
        request = {"arguments": arguments, "folder": str(folder), "environment": dict(environment)}
        identity = folder / IDENTITY_FILE
        with self._lock:
            identity.unlink(missing_ok=True)
            try:
                self._line.settimeout(_FORK_SECONDS)
                send(self._line, request)
                answer = receive(self._line)
            except OSError:
                answer = None
            if answer is None:
                self.close()
        # Without an answer the file tells: a process that is not in it was not allowed to begin.
        return forked(folder)

    def close(self) -> None:
        """End the server; the processes that it forked go on."""
        self._line.close()
        if self.alive():
            self._process.kill()
        self._process.wait()


_begun: list[ForkServer] = []


def begin() -> None:
    """Fork the server of a program that starts runs itself, while the program has no other thread.

    It prepares itself while the program prepares the run. Where it cannot be forked, runs start in a new interpreter.
    """
    if can_fork():
        importlib.import_module("mystocks_dagster.runs.launch")  # with Dagster: both need it
        keep_forker(OF_RUNS, "fork server of the command")
        _begun.append(ForkServer(patience=_FORK_SECONDS))


def begun() -> ForkServer | None:
    """Return the server that `begin` has forked for this program."""
    return _begun[-1] if _begun else None


def forked(folder: Path) -> ProcessIdentity | None:
    """Return the process that was forked for the run with this folder; None if there was none."""
    try:
        return ProcessIdentity.from_dict(json.loads((folder / IDENTITY_FILE).read_text(encoding="ascii")))
    except (OSError, ValueError, KeyError):
        return None


def _new_interpreter() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the server's process in a new interpreter; return it and this process's end of the line."""
    line, far = socket.socketpair()
    with far:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(far.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=(far.fileno(),),
            start_new_session=True,  # Ctrl-C reaches the daemon only
        )
    return process, line
