"""Wait for the end of an execution."""

import time
from collections.abc import Callable

from mystocks_dagster.history.models import Execution
from mystocks_dagster.tags import UNDER_WAY

_POLL_SECONDS = 0.25


def wait(get: Callable[[str], Execution], execution_id: str, timeout: float | None) -> Execution:
    """Return an execution when it has ended; see `TaskManager.wait`."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while (execution := get(execution_id)).status in UNDER_WAY:
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError(
                f"{execution_id} is still {execution.status} after {timeout:g} s and continues. "
                f"Stop it with: stop_task({execution_id!r})"
            )
        time.sleep(_POLL_SECONDS)
    return execution
