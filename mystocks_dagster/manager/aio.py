"""`AsyncTaskManager`: `TaskManager` for programs with an event loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Any

from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.settings import Settings


class AsyncTaskManager:
    """Every method of `TaskManager` as a coroutine, run by `asyncio.to_thread`, with the same arguments and results.

    Args:
        settings: The project's settings. Default: from the working folder and the environment.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.manager = TaskManager(settings)

    def __getattr__(self, name: str) -> Any:
        """Return the method of that name. Properties are available on `manager`, since they may block."""
        if name.startswith("_") or not callable(getattr(TaskManager, name, None)):
            raise AttributeError(f"AsyncTaskManager has no method {name!r}.")
        return partial(asyncio.to_thread, getattr(self.manager, name))

    def __dir__(self) -> Iterable[str]:
        methods = (name for name in dir(TaskManager) if callable(getattr(TaskManager, name)))
        return {*super().__dir__(), *methods}

    async def follow_logs(self, execution_id: str) -> AsyncIterator[str]:
        """Yield new log and output lines of an execution until it has ended."""
        lines = self.manager.follow_logs(execution_id)
        while (line := await asyncio.to_thread(_next, lines)) is not None:
            yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
