"""The process with the project's code, forked for Dagster's code server, which would start a new interpreter for it.

Dagster's code server starts that process again at each reload. Its forker has imported Dagster and our modules, and
none of the project's.
"""

import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mystocks_dagster.dagster_internals import CODE_PROCESS_ENTRY_POINT, CODE_PROCESS_OPENER
from mystocks_dagster.gc_tuning import tune_server_gc
from mystocks_dagster.processes.fork import Fork, fork
from mystocks_dagster.processes.forker import Forker, take_forker
from mystocks_dagster.processes.imported import ImportedFiles
from mystocks_dagster.processes.log_lines import keep_root
from mystocks_dagster.processes.messages import receive, send

#: How Dagster's command line for it begins.
_COMMAND = [sys.executable, "-m", "dagster", "api", "grpc"]


def fork_it() -> None:
    """Let Dagster's code server in this process take the forker that was kept, if there is one."""
    forker = take_forker()
    if forker is None or not _can_watch():
        return
    module, _, name = CODE_PROCESS_OPENER.partition(":")
    dagster = importlib.import_module(module)
    setattr(dagster, name, partial(_open, _Line(forker), getattr(dagster, name)))


def _can_watch() -> bool:
    """Return whether the system tells the end of a process that is not this one's child: Linux does since 5.3."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def serve(line: socket.socket) -> None:
    """Fork at each request, in the forker."""
    files, forks = ImportedFiles.now(), dict[int, Fork]()
    while request := receive(line):
        if pid := request.get("ended"):
            send(line, forks.pop(pid).wait())
        elif files.changed():  # the package was upgraded or edited
            send(line, None)
        else:
            process = fork(partial(_run, request), "code process")
            forks[process.pid] = process
            send(line, process.pid)


def _run(request: Mapping[str, Any]) -> None:
    tune_server_gc()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["folder"]:
        os.chdir(request["folder"])
    importlib.invalidate_caches()
    sys.argv = ["dagster", *request["arguments"]]
    keep_root(as_json="json" in request["arguments"])
    module, _, command = CODE_PROCESS_ENTRY_POINT.partition(":")
    getattr(importlib.import_module(module), command)()


class _Line:
    """The line to the forker, for all threads of the code server."""

    def __init__(self, forker: Forker) -> None:
        self._forker = forker
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, Any]) -> int | None:
        """Return the forker's answer; None if it has ended."""
        with self._lock:
            try:
                send(self._forker.line, request)
                return receive(self._forker.line)
            except OSError:
                return None


class CodeProcess:
    """A process that the forker has forked, with the part of `subprocess.Popen` that Dagster uses."""

    def __init__(self, line: _Line, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._line = line
        self._lock = threading.Lock()
        self._descriptor = os.pidfd_open(pid)  # the forker reaps it only when it is asked to

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code.

        Raises:
            TimeoutExpired: It still runs.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(_COMMAND, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it if it runs."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        with self._lock:  # of several threads, one asks and closes
            if self.returncode is None and select.select([self._descriptor], [], [], timeout)[0]:
                code = self._line.ask({"ended": self.pid})
                self.returncode = -signal.SIGKILL if code is None else code
                os.close(self._descriptor)
            return self.returncode


def _open(line: _Line, opener: Any, command: Sequence[str], **options: Any) -> Any:
    """Open the process as Dagster does, by `opener`, or as a fork if it is this interpreter's."""
    beginning, arguments = list(command[: len(_COMMAND)]), command[len(_COMMAND) :]
    if beginning == _COMMAND and options.keys() <= {"cwd", "env"}:
        environment, folder = options.get("env") or dict(os.environ), options.get("cwd")
        pid = line.ask({"arguments": arguments, "environment": environment, "folder": folder})
        if pid is not None:
            return CodeProcess(line, pid)
    return opener(command, **options)
