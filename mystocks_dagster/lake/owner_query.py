"""One SELECT of the owner in a terminal: Ctrl-C ends it at once, and it leaves the machine's other programs memory."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import polars as pl
import psutil

from mystocks_dagster.lake.sql import Bounds
from mystocks_dagster.lake.store import Lake

#: Share of the memory that is free when the query begins.
_SHARE = 0.8
#: Bytes that a query may use even where nothing is free: DuckDB needs as much to begin.
_LEAST = 100_000_000
#: Where a container on Linux says what it may use and uses.
_CONTAINER = Path("/sys/fs/cgroup")


def query_as_owner(
    lake: Lake, sql: str, *, as_of: date | None = None, seconds: float | None = None, memory: int | None = None
) -> pl.DataFrame:
    """Run one SELECT, with all rows of its answer.

    Args:
        lake: The lake.
        sql: The SELECT.
        as_of: As in `Lake.query`.
        seconds: Most time; None is no limit.
        memory: Most bytes of memory; None is most of what is free.

    Raises:
        LakeError: As in `Lake.query`, or it costs more than it may.
    """
    memory = memory or free_memory()
    bounds = Bounds(rows=None, seconds=seconds, memory=memory, answer=None, process=True)
    with _ended_by_ctrl_c():
        return lake.query(sql, as_of=as_of, bounds=bounds)


def free_memory() -> int:
    """Return the bytes that a query may use of what is free on this machine."""
    return max(round(min(psutil.virtual_memory().available, _free_in_container()) * _SHARE), _LEAST)


def _free_in_container() -> float:
    """Return the bytes that the container has left. The system's copies of files do not count: it gives them up."""
    try:
        most, used = (int((_CONTAINER / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        parts = dict(line.split() for line in (_CONTAINER / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(most - used + int(parts["inactive_file"]), 0)
    except (OSError, ValueError, KeyError):  # not in a container, or in one without a limit
        return float("inf")


@contextmanager
def _ended_by_ctrl_c() -> Generator[None]:
    """Let Ctrl-C end the process: DuckDB computes an answer without ever asking Python for signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
