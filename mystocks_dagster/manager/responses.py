"""What goes into the manager and comes out of it."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Self

from mystocks_dagster.project.edit import EditResult
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs.stop import StopResult
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


def edited(result: EditResult, verb: str, name: Any) -> TaskResponse:
    """Return the response to an edit: what was done, and whether the web UI uses it."""
    what = name or result.edit.path.name
    if not result.diff:
        message = f"{what}: there was nothing to change."
    elif result.dry_run:
        message = f"{what} could be {verb}; nothing was written."
    else:
        message = f"{what} is {verb}."
    if result.unused:
        message += f" The running web UI does not use it yet: {result.unused}"
    if result.reload_under_way:
        message += " The running web UI is loading it."
    return TaskResponse(message=message, data=result.to_json(), task_id=name)


def started(project: Project, name: str, run_id: str) -> TaskResponse:
    """Return the response to a start; a group's names the executions of its run."""
    entry = project.find(name)
    data: dict[str, Any] = {"run_id": run_id}
    if isinstance(entry, Group):
        data["executions"] = [execution.execution_id for execution in project.history.of_run(run_id)]
        return TaskResponse(message=f"The group {name} is started: run {run_id}.", data=data, task_id=name)
    execution = f"{run_id}:{entry.dagster_name}"
    return TaskResponse(message=f"{name} is started.", data=data, task_id=name, execution_id=execution)


def stopped(name: str, runs: Sequence[StopResult]) -> TaskResponse:
    """Return the response to a stop."""
    executions = [execution for run in runs for execution in run.executions]
    return TaskResponse(
        message=f"Stopped: {', '.join(executions) or name}.",
        data={"runs": [run.to_json() for run in runs]},
        task_id=name,
        execution_id=executions[0] if executions else None,
    )
