"""`AsyncTaskManager`: `TaskManager` for programs with an event loop, which goes on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Any

from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.settings import Settings


class AsyncTaskManager:
    """Every method of `TaskManager`, run by `asyncio.to_thread`: it takes the same and gives the same when awaited.

    Args:
        settings: The project's; found from the working folder and the environment when left out.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.manager = TaskManager(settings)

    def __getattr__(self, name: str) -> Any:
        """Return the method of that name; a property, whose value may take long to find, is one of `manager`."""
        if name.startswith("_") or not callable(getattr(TaskManager, name, None)):
            raise AttributeError(f"AsyncTaskManager has no method {name!r}.")
        return partial(asyncio.to_thread, getattr(self.manager, name))

    def __dir__(self) -> Iterable[str]:
        methods = (name for name in dir(TaskManager) if callable(getattr(TaskManager, name)))
        return {*super().__dir__(), *methods}

    async def follow_logs(self, execution_id: str) -> AsyncIterator[str]:
        """Yield what an execution logs and prints, as it comes, until it has ended."""
        lines = self.manager.follow_logs(execution_id)
        while (line := await asyncio.to_thread(_next, lines)) is not None:
            yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
