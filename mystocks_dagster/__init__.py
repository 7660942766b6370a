"""China A-share data, kept fresh by the tasks in tasks.yaml and run by Dagster."""

from typing import TYPE_CHECKING, Any

from mystocks_dagster.market import calendar as _calendar

if TYPE_CHECKING:
    from mystocks_dagster.component import TaskFileComponent
    from mystocks_dagster.factory.lake_resource import LakeResource
    from mystocks_dagster.manager.aio import AsyncTaskManager
    from mystocks_dagster.manager.responses import GroupConfig, TaskConfig, TaskPriority, TaskResponse, TaskType
    from mystocks_dagster.manager.tasks import TaskManager

    task_manager: TaskManager

#: Public name to its module. Importing this package imports none of them.
_MODULES = {
    "AsyncTaskManager": "mystocks_dagster.manager.aio",
    "LakeResource": "mystocks_dagster.factory.lake_resource",
    "TaskManager": "mystocks_dagster.manager.tasks",
    "GroupConfig": "mystocks_dagster.manager.responses",
    "TaskConfig": "mystocks_dagster.manager.responses",
    "TaskFileComponent": "mystocks_dagster.component",
    "TaskPriority": "mystocks_dagster.manager.responses",
    "TaskResponse": "mystocks_dagster.manager.responses",
    "TaskType": "mystocks_dagster.manager.responses",
    "task_manager": "mystocks_dagster.manager.shared",
}

__all__ = [
    "AsyncTaskManager",
    "GroupConfig",
    "LakeResource",
    "TaskConfig",
    "TaskFileComponent",
    "TaskManager",
    "TaskPriority",
    "TaskResponse",
    "TaskType",
    "task_manager",
]


def _calendar_in_force() -> _calendar.TradingCalendar:
    from mystocks_dagster.trading_calendar.in_force import in_force

    return in_force().calendar


# Here, so that every process of the project uses the same calendar, workers and notebooks included.
_calendar.provide(_calendar_in_force)


def __dir__() -> list[str]:
    """Return the names that `dg` searches for component types, without those that would import the manager."""
    return [*globals(), "LakeResource", "TaskFileComponent"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)
