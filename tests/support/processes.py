"""Whether processes of other programs are running."""

from collections.abc import Iterable

import psutil


def is_running(pid: int) -> bool:
    """Return whether the process exists and is not a zombie; it may end between any two looks at it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def running(pids: Iterable[int]) -> list[int]:
    """Return those of the processes that are running."""
    return [pid for pid in pids if is_running(pid)]


def stop_and_kill(processes: Iterable[psutil.Process]) -> None:
    """Kill all of them at once: they are stopped first, so that none sees another one end."""
    processes = list(processes)
    for action in (psutil.Process.suspend, psutil.Process.kill):
        for process in processes:
            try:
                action(process)
            except psutil.NoSuchProcess:
                continue
    psutil.wait_procs(processes, 20)
