"""The identity of a process beyond its pid, which the system gives to another process sooner or later."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    """One process of one boot of one machine; it can be stored and checked by another process later.

    Attributes:
        pid: The process id.
        start_time: When it started: on Linux in clock ticks since boot, which setting the clock does not change;
            elsewhere in seconds since the epoch.
        boot_id: This boot of this machine; check `alive` on that machine only.
    """

    pid: int
    start_time: float
    boot_id: str

    @classmethod
    def current(cls) -> "ProcessIdentity":
        """Return the identity of the calling process."""
        return cls.of(psutil.Process().pid)

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """Return the identity of the process that has this pid now.

        Raises:
            ProcessLookupError: There is no such process.
        """
        start_time = _start_time(pid)
        if start_time is None:
            raise ProcessLookupError(f"there is no process {pid}")
        return cls(pid=pid, start_time=start_time, boot_id=boot_id())

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "ProcessIdentity":
        """Return the identity that `to_dict` wrote."""
        return cls(pid=int(stored["pid"]), start_time=float(stored["start_time"]), boot_id=str(stored["boot_id"]))

    def to_dict(self) -> dict[str, Any]:
        """Return its fields as JSON values."""
        return {"pid": self.pid, "start_time": self.start_time, "boot_id": self.boot_id}

    def alive(self) -> bool:
        """Return whether this process still runs; a zombie does not."""
        return self.boot_id == boot_id() and _start_time(self.pid) == self.start_time


def boot_id() -> str:
    """Return an id of this boot of this machine."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    return linux.read_text(encoding="ascii").strip() if linux.exists() else f"boot-{psutil.boot_time():.0f}"


def _start_time(pid: int) -> float | None:
    """Return when the process started; None when there is no such process or it is a zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if sys.platform != "linux":
            return process.create_time()
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
    return float(stat.rpartition(b")")[2].split()[19])  # field 22 of proc(5), counted from the one after the name
