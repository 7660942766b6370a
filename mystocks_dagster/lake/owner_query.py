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
#: What the container may use and uses; Linux only.
_CONTAINER_MOST, _CONTAINER_NOW = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")


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
    free = psutil.virtual_memory().available
    try:
        most, used = (int(path.read_text(encoding="ascii")) for path in (_CONTAINER_MOST, _CONTAINER_NOW))
    except (OSError, ValueError):  # not in a container, or in one without a limit
        return round(free * _SHARE)
    return round(min(free, most - used) * _SHARE)


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
