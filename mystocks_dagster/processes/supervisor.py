"""Starts the servers, waits until all are ready, and starts again what was killed or has crashed."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.processes.commands import Command

_CHILD = Path(__file__).with_name("child.py")
#: Seconds between two looks at the servers.
_LOOK = 0.2
#: Seconds before a restart: the first, doubled each time, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: A server that worked for so many seconds and then ended is no server that cannot be started.
_WORKED = 60.0
#: A server that ended so many times in a row, each time soon, is given up.
_ATTEMPTS = 5
#: Seconds after which a progress line is said, doubled each time up to a minute.
_FIRST_PROGRESS, _LONGEST_PROGRESS = 10.0, 60.0
#: Seconds that the others have to end by themselves after each signal, and code servers, of which nobody asks anything
#: then.
_STOP_SECONDS, _STOP_CODE_SECONDS = 10.0, 1.0


class Child:
    """One server, and what is known of its present process."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.command = command
        self._folder = folder
        self.failures = 0
        self.begun = False
        self.ready_since: float | None = None
        self.starts_at: float | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def start(self) -> None:
        """Start its process, which imports what it needs and waits for `begin`."""
        ours, theirs = os.pipe()[::-1]
        command = self.command
        try:
            self._process = subprocess.Popen(
                [
                    command.executable,
                    str(_CHILD),
                    str(theirs),
                    "yes" if command.is_code_server else "no",
                    command.entry,
                    *command.arguments,
                ],
                cwd=self._folder,
                env={**os.environ, "DAGSTER_IS_DEV_CLI": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs,),
                # A group of its own, so that Ctrl-C is for the supervisor alone and all of it can be ended.
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self._lifeline, self.begun, self.ready_since, self.starts_at = ours, False, None, None

    def begin(self) -> None:
        """Let it do its work."""
        self.begun = True
        with contextlib.suppress(BrokenPipeError):
            os.write(self._lifeline, b".")

    def exit_code(self) -> int | None:
        """Return how its process ended; None while it lives, or has not been started."""
        return self._process.poll() if self._process else None

    def look(self) -> bool:
        """Return whether it does its work, asking until it does."""
        if self.ready_since is None and self.begun and self._process and self.command.ready(self._process.pid):
            self.ready_since = time.monotonic()
        return self.ready_since is not None

    def ended(self) -> float | None:
        """Tidy up after its process; return the seconds until it is to be started again, or None when it is given up."""
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
        """Signal its whole group; return whether there was any process."""
        if self._process is None:
            return False
        self._process.poll()
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def close(self) -> None:
        """Let go of a process that has ended."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
        self._process, self._lifeline, self.ready_since, self.begun = None, -1, None, False


class Supervisor:
    """All servers of one instance, which run in `folder`."""

    def __init__(self, commands: Iterable[Command], folder: Path, say: Callable[[str], None]) -> None:
        self._children = [Child(command, folder) for command in commands]
        self._say = say

    def start(self) -> None:
        """Start all processes; they import beside each other, and none begins."""
        for child in self._children:
            child.start()

    def wait_until_ready(self) -> None:
        """Let them begin, and return when all do their work, however long that takes.

        Raises:
            InstanceError: One of them ended.
        """
        since, next_line, pause = time.monotonic(), _FIRST_PROGRESS, _FIRST_PROGRESS
        while waiting := self._step():
            for child in self._children:
                if (code := child.exit_code()) is not None:
                    raise InstanceError(
                        f"The {child.command.name} {_how(code)} while it started; the reason is in the lines above."
                    )
            seconds = time.monotonic() - since
            if seconds >= next_line:
                self._say(f"waiting for {waiting[0].command.waits_for}: {seconds:.0f} s …")
                pause = min(pause * 2, _LONGEST_PROGRESS)
                next_line += pause
            time.sleep(_LOOK)

    def run(self) -> str:
        """Keep them running; return why one of them could not be."""
        while True:
            for child in self._children:
                code = child.exit_code()
                if code is None:
                    continue
                name, how = child.command.name, _how(code)
                pause = child.ended()
                if pause is None:
                    return f"the {name} {how}, {_ATTEMPTS + 1} times in a row"
                self._say(f"The {name} {how}. Starting it again in {pause:.0f} s.")
            self._step()
            time.sleep(_LOOK)

    def _step(self) -> list[Child]:
        """Start what is due, let begin what can, and return what is not ready."""
        for child in self._children:
            if child.starts_at is not None and time.monotonic() >= child.starts_at:
                child.start()
        code_ready = all(child.look() for child in self._children if child.command.is_code_server)
        for child in self._children:
            if not child.begun and child.starts_at is None and (child.command.is_code_server or code_ready):
                child.begin()
        waiting = []
        for child in self._children:
            was_ready = child.ready_since is not None
            if not child.look():
                waiting.append(child)
            elif not was_ready and child.failures:
                self._say(f"The {child.command.name} works again.")
        return waiting

    def stop(self) -> None:
        """End all, the code servers last, with all they started but the workers of runs."""
        for are_code_servers in (False, True):
            _end(
                [child for child in self._children if child.command.is_code_server == are_code_servers],
                _STOP_CODE_SECONDS if are_code_servers else _STOP_SECONDS,
            )


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
