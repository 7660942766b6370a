"""The calls about tasks: register, list, show, change, delete, start, stop, switch."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.request_models import DryRun, Fields, Manager, StartBody, TaskId
from mystocks_dagster.api.response_models import BODY, NextRun, SwitchState, TaskResponse, described
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.scheduling.switches import Switch
from mystocks_dagster.taskfile.model import Group, Task, TaskType

router = APIRouter(prefix="/api", tags=["tasks"])
_TASK: dict[str, Any] = {BODY: "TaskConfig"}
_Count = Annotated[int, Query(ge=1, le=1000, description="How many of each schedule.")]


def shown(entry: Task | Group, switches: dict[str, Switch]) -> dict[str, Any]:
    """Return a task or group as the calls show it: all fields, secrets as `${VAR}`, and its switch."""
    name = entry.task_id if isinstance(entry, Task) else entry.group_id
    switch = switches.get(name)
    return {**entry.masked(), "switch": switch.to_json() if switch else None}


@router.post("/tasks/register", responses=described(TaskResponse), openapi_extra=_TASK)
def register_task(manager: Manager, config: Fields, dry_run: DryRun = False) -> Any:
    """Register a task: add it to tasks.yaml."""
    return manager.register_task(config, dry_run=dry_run).to_json()


@router.get("/tasks", include_in_schema=False)
@router.get("/tasks/", responses=described(list[dict[str, Any]], "Tasks with all their fields"))
def list_tasks(
    manager: Manager,
    task_type: Annotated[TaskType | None, Query(description="Only tasks of this type.")] = None,
    tags: Annotated[
        str, Query(max_length=1000, description="Only tasks with one of these tags, separated by commas.")
    ] = "",
) -> Any:
    """List the tasks that can run; what is broken in the file is told by `health` and by asking for it."""
    switches = manager.switches()
    return [shown(task, switches) for task in manager.list_tasks(task_type, tags)]


@router.get("/next", tags=["schedules"], responses=described(list[NextRun]))
def next_runs(manager: Manager, count: _Count = 10) -> Any:
    """List the coming starts of all schedules that are on, in order."""
    return [one.to_json() for one in manager.next_runs(None, count)]


@router.get("/tasks/{task_id}", responses=described(dict[str, Any], "A task with all its fields"))
def get_task(manager: Manager, task_id: TaskId) -> Any:
    """Show a task."""
    return shown(manager.get_task(task_id), manager.switches())


@router.patch("/tasks/{task_id}", responses=described(TaskResponse))
def update_task(manager: Manager, task_id: TaskId, changes: Fields, dry_run: DryRun = False) -> Any:
    """Change fields of a task: null removes a field, mappings are merged, all else replaces (RFC 7386)."""
    return manager.update_task(task_id, changes, dry_run=dry_run).to_json()


@router.put("/tasks/{task_id}", responses=described(TaskResponse), openapi_extra=_TASK)
def replace_task(manager: Manager, task_id: TaskId, config: Fields, dry_run: DryRun = False) -> Any:
    """Let a task be what is sent, all of it."""
    return manager.replace_task(task_id, config, dry_run=dry_run).to_json()


@router.delete("/tasks/{task_id}", responses=described(TaskResponse))
def delete_task(
    manager: Manager,
    task_id: TaskId,
    force: Annotated[bool, Query(description="Also take it out of the tasks and groups that name it.")] = False,
    dry_run: DryRun = False,
) -> Any:
    """Delete a task from tasks.yaml; its history stays."""
    return manager.delete_task(task_id, force=force, dry_run=dry_run).to_json()


@router.post("/tasks/{task_id}/start", responses=described(TaskResponse))
def start_task(manager: Manager, task_id: TaskId, body: StartBody | None = None) -> Any:
    """Start a task; the answer has the execution's id at once."""
    manager.get_task(task_id)
    body = body or StartBody()
    return manager.start_task(task_id, body.params, only=body.only).to_json()


@router.post("/tasks/{task_id}/stop", responses=described(TaskResponse))
def stop_task(manager: Manager, task_id: TaskId) -> Any:
    """Stop what a task has under way; answered when it has ended."""
    return manager.stop_task(task_id).to_json()


@router.post("/tasks/{task_id}/enable", tags=["schedules"], responses=described(SwitchState))
def enable_task(manager: Manager, task_id: TaskId) -> Any:
    """Switch a task's schedule on, whatever the file says."""
    return _task(manager, task_id).enable(task_id).to_json()


@router.post("/tasks/{task_id}/disable", tags=["schedules"], responses=described(SwitchState))
def disable_task(manager: Manager, task_id: TaskId) -> Any:
    """Switch a task's schedule off, whatever the file says; what runs goes on."""
    return _task(manager, task_id).disable(task_id).to_json()


@router.post("/tasks/{task_id}/reset", tags=["schedules"], responses=described(SwitchState))
def reset_task(manager: Manager, task_id: TaskId) -> Any:
    """Let the file's `enabled` count again."""
    return _task(manager, task_id).reset(task_id).to_json()


@router.get("/tasks/{task_id}/next", tags=["schedules"], responses=described(list[NextRun]))
def next_runs_of_task(manager: Manager, task_id: TaskId, count: _Count = 10) -> Any:
    """List the coming starts of a task; none while its schedule is off."""
    return [one.to_json() for one in _task(manager, task_id).next_runs(task_id, count)]


def _task(manager: TaskManager, task_id: str) -> TaskManager:
    """Return the manager; a group has calls of its own."""
    manager.get_task(task_id)
    return manager
