"""Starts the servers, waits until all are ready, and restarts those that were killed or have crashed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.gc_tuning import tune_server_gc
from mystocks_dagster.processes import code_process
from mystocks_dagster.processes.child import serve
from mystocks_dagster.processes.commands import Command
from mystocks_dagster.processes.fork import Fork, fork
from mystocks_dagster.processes.forker import keep_forker

_CHILD = Path(__file__).with_name("child.py")
_VARIABLES = {"DAGSTER_IS_DEV_CLI": "1"}
#: Seconds between two checks of the servers.
_CHECK_SECONDS = 0.2
#: Seconds before a restart: the first, doubled each time, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: Seconds of work after which a server that ends counts as having started: its failures are counted from one again.
_WORKED = 60.0
#: Restarts of a server in a row, each after a short life, before the supervisor gives up.
_ATTEMPTS = 5
#: Seconds until the first progress line, doubled each time, and the longest pause.
_FIRST_PROGRESS, _LONGEST_PROGRESS = 10.0, 60.0
#: Seconds that servers have to end after each signal, and code servers, which by then have no clients.
_STOP_SECONDS, _STOP_CODE_SECONDS = 10.0, 1.0


class Child:
    """One server and the state of its current process."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        self._folder = folder
        self.failures = 0
        self.begun = False
        self.ready_since: float | None = None
        self.starts_at: float | None = None
        self._process: subprocess.Popen[bytes] | Fork | None = None
        self._lifeline = -1

    def start(self, *, forked: bool = False) -> None:
        """Start its process, which imports its modules and waits for `begin`.

        Args:
            forked: Whether it is a fork of this process; otherwise it has an interpreter of its own.
        """
        reading, writing = os.pipe()
        try:
            self._process = self._fork(reading) if forked else self._new_interpreter(reading)
        finally:
            os.close(reading)
        self._lifeline, self.begun, self.ready_since, self.starts_at = writing, False, None, None

    def _new_interpreter(self, reading: int) -> subprocess.Popen[bytes]:
        command = self.command
        code_server = "yes" if command.is_code_server else "no"
        # A child inherits the mask: it gets the signal when it has said how it takes it, not while Python starts.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return subprocess.Popen(
                [command.executable, str(_CHILD), str(reading), code_server, command.entry, *command.arguments],
                cwd=self._folder,
                env={**os.environ, **_VARIABLES},
                stdin=subprocess.DEVNULL,
                pass_fds=(reading,),
                # Its own group, so that Ctrl-C reaches the supervisor only and the whole group can be ended.
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _fork(self, reading: int) -> Fork:
        command = self.command

        def work() -> None:
            tune_server_gc()
            os.chdir(self._folder)
            sys.path[0] = str(self._folder)  # as in a program that Python finds there
            os.environ.update(_VARIABLES)
            forker = keep_forker(command.forker, f"fork server of the {command.name}") if command.forker else None
            if command.is_code_server:
                code_process.fork_it()
            serve(
                reading,
                command.entry,
                command.arguments,
                code_server=command.is_code_server,
                forker=forker.process.pid if forker else None,
            )

        return fork(work, command.name, keep={reading}, new_session=True)

    def begin(self) -> None:
        """Let the process begin its work."""
        self.begun = True
        with contextlib.suppress(BrokenPipeError):
            os.write(self._lifeline, b".")

    def exit_code(self) -> int | None:
        """Return the exit code of its process; None while it runs, or before it was started."""
        return self._process.poll() if self._process else None

    def is_ready(self) -> bool:
        """Return whether the server is ready; once it was, it is not probed again."""
        if self.ready_since is None and self.begun and self._process and self.command.ready(self._process.pid):
            self.ready_since = time.monotonic()
        return self.ready_since is not None

    def ended(self) -> float | None:
        """Clean up after its process ended; return the seconds until its restart, or None when there is none."""
        worked = self.ready_since is not None and time.monotonic() - self.ready_since >= _WORKED
        self.failures = 1 if worked else self.failures + 1
        self.signal(signal.SIGKILL)
        self.close()
        if self.failures > _ATTEMPTS:
            return None
        pause = min(_FIRST_PAUSE * 2 ** (self.failures - 1), _LONGEST_PAUSE)
        self.starts_at = time.monotonic() + pause
        return pause

    def signal(self, number: int) -> bool:
        """Signal its process group; return whether the group has a process."""
        if self._process is None:
            return False
        self._process.poll()
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Release the pipe of a process that has ended."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._process, self._lifeline, self.ready_since, self.begun = None, -1, None, False


class Supervisor:
    """All servers of one instance, which run in `folder`."""

    def __init__(
        self,
        commands: Iterable[Command],
        folder: Path,
        say: Callable[[str], None],
        stop_requested: Callable[[], bool] = lambda: False,
        *,
        forks: bool = False,
    ) -> None:
        """Prepare the servers.

        Args:
            commands: What to start.
            folder: Where they run.
            say: Takes each line for the person at the terminal.
            stop_requested: Returns whether a signal to stop has arrived.
            forks: Whether the first processes are forks of this one.
        """
        self._forks = forks
        self._children = [Child(command, folder) for command in commands]
        self._say = say
        self._stop_requested = stop_requested

    def start(self) -> None:
        """Start all processes; none begins its work.

        A server that is started again later is in a new interpreter: upgraded code is imported again.
        """
        for child in self._children:
            child.start(forked=self._forks and child.command.executable == sys.executable)

    def wait_until_ready(self) -> None:
        """Let all servers begin, and return when all are ready, without a time limit.

        Raises:
            InstanceError: A server ended.
        """
        since, next_line, pause = time.monotonic(), _FIRST_PROGRESS, _FIRST_PROGRESS
        while waiting := self._step():
            for child in self._children:
                if (code := child.exit_code()) is not None:
                    raise InstanceError(
                        f"The {child.command.name} {_how(code)} during its start; the reason is in the lines above."
                    )
            seconds = time.monotonic() - since
            if seconds >= next_line:
                self._say(f"waiting for {waiting[0].command.waits_for}: {seconds:.0f} s …")
                pause = min(pause * 2, _LONGEST_PROGRESS)
                next_line += pause
            time.sleep(_CHECK_SECONDS)

    def run(self) -> str:
        """Keep the servers running; return why one of them cannot be kept running."""
        tune_server_gc()
        while True:
            for child in self._children:
                code = child.exit_code()
                if code is None:
                    continue
                name, how = child.command.name, _how(code)
                pause = child.ended()
                if pause is None:
                    return f"the {name} {how}, {_ATTEMPTS + 1} times in a row"
                self._say(f"The {name} {how}. Restarting it in {pause:.0f} s.")
            self._step()
            time.sleep(_CHECK_SECONDS)

    def _step(self) -> list[Child]:
        """Start servers that are due, let those begin that can, and return those that are not ready."""
        if self._stop_requested():
            raise KeyboardInterrupt
        for child in self._children:
            if child.starts_at is not None and time.monotonic() >= child.starts_at:
                child.start()
        code_ready = all(child.is_ready() for child in self._children if child.command.is_code_server)
        for child in self._children:
            if not child.begun and child.starts_at is None and (child.command.is_code_server or code_ready):
                child.begin()
        waiting = []
        for child in self._children:
            was_ready = child.ready_since is not None
            if not child.is_ready():
                waiting.append(child)
            elif not was_ready and child.failures:
                self._say(f"The {child.command.name} runs again.")
        return waiting

    def stop(self) -> None:
        """End all servers, the code servers last, and their process groups; workers of runs go on."""
        code_servers = [child for child in self._children if child.command.is_code_server]
        for child in code_servers:
            if child.ready_since is None:
                # It only loads code so far, and each of its processes would print where that was interrupted.
                child.signal(signal.SIGKILL)
        _end([child for child in self._children if not child.command.is_code_server], _STOP_SECONDS)
        _end(code_servers, _STOP_CODE_SECONDS)


def _end(children: list[Child], patience: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        left = [child for child in children if child.signal(number)]
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            left = [child for child in left if child.signal(0)]
            time.sleep(0.05)
        if not left:
            break
    for child in children:
        child.close()


def _how(code: int) -> str:
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return "lost the process that holds the project's code" if code == 70 else f"ended with exit code {code}"
