"""`AsyncTaskManager`: the same as `TaskManager`, awaited, so that an event loop goes on meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class _InThread(Generic[P, R]):
    """A method of the manager, run in a thread and awaited."""

    def __init__(self, method: Callable[Concatenate[TaskManager, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, manager: "AsyncTaskManager", _owner: Any) -> Callable[P, Awaitable[R]]:
        def started(*arguments: P.args, **options: P.kwargs) -> Awaitable[R]:
            return asyncio.to_thread(self._method, manager.manager, *arguments, **options)

        return started


class AsyncTaskManager:
    """Every method takes what the one of `TaskManager` takes, and gives the same when it is awaited.

    Args:
        settings: The project's; found from the working folder and the environment when left out.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.manager = TaskManager(settings)

    list_tasks = _InThread(TaskManager.list_tasks)
    get_task = _InThread(TaskManager.get_task)
    register_task = _InThread(TaskManager.register_task)
    update_task = _InThread(TaskManager.update_task)
    replace_task = _InThread(TaskManager.replace_task)
    delete_task = _InThread(TaskManager.delete_task)
    unregister_task = delete_task
    register_function = _InThread(TaskManager.register_function)
    list_groups = _InThread(TaskManager.list_groups)
    get_group = _InThread(TaskManager.get_group)
    register_group = _InThread(TaskManager.register_group)
    update_group = _InThread(TaskManager.update_group)
    delete_group = _InThread(TaskManager.delete_group)
    start_task = _InThread(TaskManager.start_task)
    stop_task = _InThread(TaskManager.stop_task)
    enable = _InThread(TaskManager.enable)
    disable = _InThread(TaskManager.disable)
    reset = _InThread(TaskManager.reset)
    switches = _InThread(TaskManager.switches)
    next_runs = _InThread(TaskManager.next_runs)
    get_executions = _InThread(TaskManager.get_executions)
    get_execution = _InThread(TaskManager.get_execution)
    wait = _InThread(TaskManager.wait)
    get_logs = _InThread(TaskManager.get_logs)
    get_statistics = _InThread(TaskManager.get_statistics)
    cleanup_executions = _InThread(TaskManager.cleanup_executions)
    cleanup = cleanup_executions
    health = _InThread(TaskManager.health)
    import_config = _InThread(TaskManager.import_config)
    import_text = _InThread(TaskManager.import_text)
    export_config = _InThread(TaskManager.export_config)

    async def follow_logs(self, execution_id: str) -> AsyncIterator[str]:
        """Yield what an execution logs and prints, as it comes, until it has ended."""
        lines = self.manager.follow_logs(execution_id)
        while (line := await asyncio.to_thread(_next, lines)) is not None:
            yield line


def _next(lines: Iterator[str]) -> str | None:
    return next(lines, None)
