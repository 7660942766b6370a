"""The types of the manager's arguments and results."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Self

from mystocks_dagster.project.edit import EditResult
from mystocks_dagster.project.project import Project
from mystocks_dagster.runs.stop import StopResult
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import PRIORITIES, Task

#: A task with the fields of tasks.yaml.
TaskConfig = Task
#: A group with the fields of tasks.yaml.
GroupConfig = Group


class TaskType(StrEnum):
    """The values of `task_type`."""

    CRON = "cron"
    SUPERVISOR = "supervisor"
    MANUAL = "manual"
    DATA_SYNC = "data_sync"
    INDICATOR_CALC = "indicator_calc"
    MARKET_FETCH = "market_fetch"


class TaskPriority(IntEnum):
    """Named values of `priority`, which is any number from 1 to 999: queued runs with a lower number start first."""

    CRITICAL = PRIORITIES["critical"]
    HIGH = PRIORITIES["high"]
    NORMAL = PRIORITIES["normal"]
    LOW = PRIORITIES["low"]
    BATCH = PRIORITIES["batch"]


@dataclass(frozen=True, kw_only=True)
class TaskResponse:
    """The result of a request; a failure raises instead. Awaiting it returns itself.

    Attributes:
        success: Always True, because a failure is an exception.
        message: A sentence for users.
        data: Details as JSON values.
        task_id: The task or group.
        execution_id: The execution that was started or stopped.
    """

    success: bool = True
    message: str
    data: dict[str, Any] | None = None
    task_id: str | None = None
    execution_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the response as the REST interface shows it."""
        return dict(vars(self))

    def __await__(self) -> Generator[None, None, Self]:
        """Return itself: `await manager.start_task(...)` and `manager.start_task(...)` are equivalent."""
        return self
        yield


def _done(subject: str) -> Mapping[str, str]:
    """Return what is said of an entry or a file after each kind of edit; whole sentences, for their Chinese."""
    return {
        "registered": f"{subject} was registered.",
        "changed": f"{subject} was changed.",
        "replaced": f"{subject} was replaced.",
        "deleted": f"{subject} was deleted.",
        "imported": f"{subject} was imported.",
    }


def edit_response(result: EditResult, verb: str, name: Any) -> TaskResponse:
    """Return the response to an edit, including whether the web UI uses it."""
    subject = name or result.edit.path.name
    if not result.diff:
        message = f"{subject}: nothing to change."
    elif result.dry_run:
        message = f"{subject} can be {verb}; nothing was written (dry run)."
    else:
        message = _done(subject)[verb]
    if result.unused:
        message += f" The running web UI does not use the change yet: {result.unused}"
    if result.reload_under_way:
        message += " The running web UI is loading the change."
    return TaskResponse(message=message, data=result.to_json(), task_id=name)


def start_response(project: Project, name: str, run_id: str) -> TaskResponse:
    """Return the response to a start; for a group, `data` lists the executions of its run."""
    entry = project.find(name)
    data: dict[str, Any] = {"run_id": run_id}
    if isinstance(entry, Group):
        data["executions"] = [execution.execution_id for execution in project.history.of_run(run_id)]
        return TaskResponse(message=f"Group {name} was started: run {run_id}.", data=data, task_id=name)
    execution = f"{run_id}:{entry.dagster_name}"
    return TaskResponse(message=f"{name} was started.", data=data, task_id=name, execution_id=execution)


def stop_response(name: str, runs: Sequence[StopResult]) -> TaskResponse:
    """Return the response to a stop."""
    executions = [execution for run in runs for execution in run.executions]
    return TaskResponse(
        message=f"Stopped: {', '.join(executions) or name}.",
        data={"runs": [run.to_json() for run in runs]},
        task_id=name,
        execution_id=executions[0] if executions else None,
    )
