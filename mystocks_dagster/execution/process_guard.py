"""The process between the caller and a task's process: when either ends, it ends all that the task started.

`supervised_process` runs it as a script (`python -I -S process_guard.py ARGUMENTS`). It imports only the standard
library, so it starts in 15 ms. End of file on standard input means "stop". On standard output it writes one line each:

    started PID
    stopping timeout | stopped             only when it stops the task before its end
    stuck PID...                           only when some processes could not be ended
    ended WAITSTATUS PEAK_RSS_KIB LEFT     LEFT processes outlived the task's process and were ended

On Linux it is a child subreaper: each descendant whose parent ends becomes its child. Having no child is therefore
proof that all have ended, also a grandchild that called setsid. Elsewhere it reads `ps`.
"""

import os
import select
import signal
import sys
import time

_LINUX = sys.platform == "linux"
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
#: Seconds between two checks of the caller: a process that it forked may hold the pipe open.
_TICK = 0.5
#: Seconds that helpers of a task that succeeded (multiprocessing's resource tracker) have to end by themselves.
_LINGER = 0.2
#: Seconds after SIGKILL after which a process counts as unkillable (another user's, or stuck in the kernel).
_GIVE_UP = 1.0


class Guard:
    """One task process and its state."""

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.child = 0
        self.status: int | None = None
        self.peak = 0
        self.childless = False
        self.signalled = False
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signal_number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self.signalled = True

    def start(self, command: list[str], standard: list[int]) -> None:
        """Start the task's process in its own session; the descriptors `standard` become its standard streams."""
        guard = os.getpid()
        self.child = os.fork()
        if self.child == 0:
            try:
                _become(command, standard, guard)
            except BaseException as error:  # noqa: BLE001 - a forked copy of the guard must never go on as one
                os.write(2, f"mystocks: cannot start {command[0]}: {error}\n".encode())
            finally:
                os._exit(127)
        for descriptor in standard:
            os.close(descriptor)
        report(f"started {self.child}")

    def watch(self, caller: int, deadline: float) -> str:
        """Wait until the task's process ends or must be stopped; return `ended`, `timeout` or `stopped`."""
        while True:
            self.reap()
            if self.status is not None:
                return "ended"
            if self.signalled or os.getppid() != caller:
                return "stopped"
            left = deadline - time.monotonic()
            if left <= 0:
                return "timeout"
            if 0 in self._sleep(min(left, _TICK), [0]) and not os.read(0, 4096):
                return "stopped"

    def end(self, *, gently: bool) -> int:
        """End every process that is left; return how many had to be ended."""
        if gently:
            self._wait(_LINGER)
        left = self.tree()
        if left:
            for pid in left:
                kill(pid, signal.SIGTERM)
                kill(pid, signal.SIGCONT)
            self._wait(self.grace)
        give_up = time.monotonic() + _GIVE_UP
        while not self.gone() and time.monotonic() < give_up:
            for pid in self.tree():
                kill(pid, signal.SIGKILL)
            self._sleep(0.01, [])
        if not self.gone():
            report(f"stuck {' '.join(map(str, self.tree()))}")
        return len(left)

    def reap(self) -> None:
        """Reap ended children: the task's process, and on Linux also adopted orphans."""
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.child:
                    self.status = status
                    self.peak = usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
        except ChildProcessError:
            self.childless = True

    def gone(self) -> bool:
        """Return whether the task's process and all that it started have ended."""
        self.reap()
        return self.childless and (_LINUX or not self.tree())

    def tree(self) -> list[int]:
        """Return the pids of all descendants, and of the members of the task's process group."""
        parents, groups = processes()
        members = {pid for pid, group in groups.items() if group == self.child}
        family = {os.getpid()}
        while new := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= new
        return sorted((family | members) - {os.getpid()})

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.gone() and (left := deadline - time.monotonic()) > 0:
            self._sleep(min(left, 0.05), [])

    def _sleep(self, seconds: float, descriptors: list[int]) -> list[int]:
        """Sleep until a child ends, a signal arrives or one of `descriptors` is readable; return the readable ones."""
        ready, _, _ = select.select([*descriptors, self._wake], [], [], seconds)
        if self._wake in ready:
            os.read(self._wake, 4096)
        return ready


def _become(command: list[str], standard: list[int], guard: int) -> None:
    """Turn this fork into the task's process."""
    os.setsid()
    prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:  # killed before the line above took effect
        return
    for signal_number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec keeps that
        signal.signal(signal_number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for target, descriptor in enumerate(standard):
        os.dup2(descriptor, target)
    for descriptor in standard:
        os.close(descriptor)
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
            except OSError:  # the process ended meanwhile
                continue
            parents[int(name)] = int(after_name[1])
    return parents


def _ps() -> tuple[dict[int, int], dict[int, int]]:
    import subprocess

    with subprocess.Popen(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], stdout=subprocess.PIPE) as ps:
        assert ps.stdout
        rows = [line.split()[:4] for line in ps.stdout]
    alive = [
        (int(pid), int(parent), int(group))
        for pid, parent, group, state in rows
        if not state.startswith(b"Z") and int(pid) != ps.pid
    ]
    return {pid: parent for pid, parent, _ in alive}, {pid: group for pid, _, group in alive}


def kill(pid: int, signal_number: int) -> None:
    """Signal a process; do nothing when it has ended or belongs to another user."""
    try:
        os.kill(pid, signal_number)
    except (ProcessLookupError, PermissionError):  # importing contextlib takes a third of the guard's start-up time
        return


def report(line: str) -> None:
    """Write a status line; do nothing when the caller has ended."""
    try:
        os.write(1, f"{line}\n".encode())
    except BrokenPipeError:
        return


def main() -> None:
    """Guard one process: CALLER_PID TIMEOUT_SECONDS|- GRACE_SECONDS STDIN_FD STDOUT_FD STDERR_FD COMMAND..."""
    caller, timeout, grace, *rest = sys.argv[1:]
    deadline = float("inf") if timeout == "-" else time.monotonic() + float(timeout)
    guard = Guard(float(grace))
    prctl(_SET_CHILD_SUBREAPER, 1)
    guard.start(rest[3:], [int(number) for number in rest[:3]])
    reason = guard.watch(int(caller), deadline)
    if reason != "ended":
        report(f"stopping {reason}")
    left = guard.end(gently=reason == "ended")
    report(f"ended {guard.status if guard.status is not None else signal.SIGKILL} {guard.peak} {left}")


if __name__ == "__main__":
    main()
