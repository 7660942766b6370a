"""The process between the caller and a task's body: whatever happens to either, nothing of the body stays behind.

Run as a script by `guarded` (`python -I -S guard.py ARGUMENTS`), so it imports only what the interpreter brings: it is
up in
15 ms. Standard input is the caller's line: its end means "stop". On standard output it says, one line each,

    started PID
    stopping timeout | stopped             only when it stops the body before its end
    stuck PID...                           only when some could not be ended
    ended WAITSTATUS PEAK_RSS_KIB LEFT     LEFT processes outlived the body and were ended

On Linux it is a child subreaper: each descendant whose parent ends becomes its own child, so "I have no child" is
the proof that all are gone, also for a grandchild that called setsid. Elsewhere it walks `ps`.
"""

import os
import select
import signal
import sys
import time

_LINUX = sys.platform == "linux"
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
#: Seconds between two looks at the caller: its line can be held open by a process that it forked.
_TICK = 0.5
#: Seconds that helpers of a body which ended well (multiprocessing's resource tracker) have to end by themselves.
_LINGER = 0.2
#: Seconds after SIGKILL after which a process counts as unkillable (another user's, or stuck in the kernel).
_GIVE_UP = 1.0


class Guard:
    """One body and what is known of it."""

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.body = 0
        self.status: int | None = None
        self.peak = 0
        self.childless = False
        self.signalled = False
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.signalled = True

    def start(self, command: list[str], standard: list[int]) -> None:
        """Start the body in a session of its own; `standard` become its stdin, stdout and stderr."""
        guard = os.getpid()
        self.body = os.fork()
        if self.body == 0:
            try:
                _become(command, standard, guard)
            except BaseException as error:  # noqa: BLE001 - a forked copy of the guard must never go on as one
                os.write(2, f"mystocks: cannot start {command[0]}: {error}\n".encode())
            finally:
                os._exit(127)
        for number in standard:
            os.close(number)
        say(f"started {self.body}")

    def watch(self, caller: int, deadline: float) -> str:
        """Wait until the body ends or must be stopped; return `ended`, `timeout` or `stopped`."""
        while True:
            self.reap()
            if self.status is not None:
                return "ended"
            if self.signalled or os.getppid() != caller:
                return "stopped"
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            if 0 in self._rest(min(left, _TICK), [0]) and not os.read(0, 4096):
                return "stopped"

    def end(self, *, gently: bool) -> int:
        """End every process that is left; return how many there were after those of themselves ended."""
        if gently:
            self._wait(_LINGER)
        left = self.tree()
        if left:
            for number in left:
                kill(number, signal.SIGTERM)
                kill(number, signal.SIGCONT)
            self._wait(self.grace)
        give_up = time.monotonic() + _GIVE_UP
        while not self.gone() and time.monotonic() < give_up:
            for number in self.tree():
                kill(number, signal.SIGKILL)
            self._rest(0.01, [])
        if not self.gone():
            say(f"stuck {' '.join(map(str, self.tree()))}")
        return len(left)

    def reap(self) -> None:
        """Collect whatever ended: the body, and on Linux also the orphans that became ours."""
        try:
            while True:
                number, status, usage = os.wait4(-1, os.WNOHANG)
                if number == 0:
                    return
                if number == self.body:
                    self.status = status
                    self.peak = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
        except ChildProcessError:
            self.childless = True

    def gone(self) -> bool:
        """Return whether the body and everything that it started have ended."""
        self.reap()
        return self.childless and (_LINUX or not self.tree())

    def tree(self) -> list[int]:
        """Return the processes that stem from the body."""
        parents, groups = processes()
        found = {number for number, group in groups.items() if group == self.body}
        family = {os.getpid()}
        while new := {number for number, parent in parents.items() if parent in family} - family:
            family |= new
        return sorted((family | found) - {os.getpid()})

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.gone() and (left := until - time.monotonic()) > 0:
            self._rest(min(left, 0.05), [])

    def _rest(self, seconds: float, lines: list[int]) -> list[int]:
        """Sleep until a child ends, a signal comes or one of `lines` has something to read."""
        ready, _, _ = select.select([*lines, self._wake], [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 4096)
        return ready


def _become(command: list[str], standard: list[int], guard: int) -> None:
    """Turn this fresh fork into the body."""
    os.setsid()
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # killed before the line above took effect
        return
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and which would stay ignored
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for target, number in enumerate(standard):
        os.dup2(number, target)
    for number in standard:
        os.close(number)
    os.execv(command[0], command)


def prctl(option: int, value: int) -> None:
    """Call Linux's prctl; do nothing elsewhere."""
    if _LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def processes() -> tuple[dict[int, int], dict[int, int]]:
    """Return every process's parent, and, where there is no subreaper, every process's group."""
    return (_linux_parents(), {}) if _LINUX else _ps()


def _linux_parents() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes longer to import than the guard to start
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    after_name = file.read().rpartition(b")")[2].split()
            except OSError:  # ended meanwhile
                continue
            parents[int(name)] = int(after_name[1])
    return parents


def _ps() -> tuple[dict[int, int], dict[int, int]]:
    import subprocess

    with subprocess.Popen(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], stdout=subprocess.PIPE) as ps:
        assert ps.stdout
        rows = [line.split()[:4] for line in ps.stdout]
    alive = [
        (int(number), int(parent), int(group))
        for number, parent, group, state in rows
        if not state.startswith(b"Z") and int(number) != ps.pid
    ]
    return {number: parent for number, parent, _ in alive}, {number: group for number, _, group in alive}


def kill(number: int, signal_number: int) -> None:
    """Signal a process that may have ended, or may not be ours to signal."""
    try:
        os.kill(number, signal_number)
    except (ProcessLookupError, PermissionError):  # contextlib would cost a third of the guard's start
        return


def say(line: str) -> None:
    """Tell the caller, who may be gone."""
    try:
        os.write(1, f"{line}\n".encode())
    except BrokenPipeError:
        return


def main() -> None:
    """Guard one body: CALLER_PID TIMEOUT_SECONDS|- GRACE_SECONDS STDIN_FD STDOUT_FD STDERR_FD COMMAND..."""
    caller, timeout, grace, *rest = sys.argv[1:]
    deadline = float("inf") if timeout == "-" else time.monotonic() + float(timeout)
    guard = Guard(float(grace))
    prctl(_SET_CHILD_SUBREAPER, 1)
    guard.start(rest[3:], [int(number) for number in rest[:3]])
    reason = guard.watch(int(caller), deadline)
    if reason != "ended":
        say(f"stopping {reason}")
    left = guard.end(gently=reason == "ended")
    say(f"ended {guard.status if guard.status is not None else signal.SIGKILL} {guard.peak} {left}")


if __name__ == "__main__":
    main()
