"""The only job that this process needs: that of its run, or of the run that it creates."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

#: Set by the run launcher for a run's process, which builds only its own job.
ONLY_JOB = "MYSTOCKS_ONLY_JOB"
#: The same within this process, while it creates a run.
_building: ContextVar[str | None] = ContextVar("building", default=None)


def only_job() -> str | None:
    """Return the only job that this process needs; None when it may need all."""
    return _building.get() or os.environ.get(ONLY_JOB) or None


@contextmanager
def building_only(job: str | None) -> Generator[None]:
    """Let `only_job` return a job while the definitions for a run of it are loaded."""
    token = _building.set(job)
    try:
        yield
    finally:
        _building.reset(token)
