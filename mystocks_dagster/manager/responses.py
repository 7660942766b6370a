"""What goes into the manager and comes out of it."""

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Self

from mystocks_dagster.taskfile.model import PRIORITIES, Group, Task

#: One task, with the fields of tasks.yaml.
TaskConfig = Task
#: One group of tasks, with the fields of tasks.yaml.
GroupConfig = Group


class TaskType(StrEnum):
    """What a task is: the values of `task_type`."""

    CRON = "cron"
    SUPERVISOR = "supervisor"
    MANUAL = "manual"
    DATA_SYNC = "data_sync"
    INDICATOR_CALC = "indicator_calc"
    MARKET_FETCH = "market_fetch"


class TaskPriority(IntEnum):
    """Who starts first when runs wait: lower first. Any number from 1 to 999 will do for `priority` too."""

    CRITICAL = PRIORITIES["critical"]
    HIGH = PRIORITIES["high"]
    NORMAL = PRIORITIES["normal"]
    LOW = PRIORITIES["low"]
    BATCH = PRIORITIES["batch"]


@dataclass(frozen=True, kw_only=True)
class TaskResponse:
    """What became of a request; what cannot be done raises instead. It may be awaited, which gives it itself.

    Attributes:
        success: True: a failure is an exception.
        message: One sentence for people.
        data: More of it, as JSON values.
        task_id: The task or group it was about.
        execution_id: The execution that was started, or stopped.
    """

    success: bool = True
    message: str
    data: dict[str, Any] | None = None
    task_id: str | None = None
    execution_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface shows it: the contract's `TaskResponse`."""
        return dict(vars(self))

    def __await__(self) -> Generator[None, None, Self]:
        """Return it: `await manager.start_task(...)` and `manager.start_task(...)` are the same."""
        return self
        yield
