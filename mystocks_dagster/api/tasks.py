"""The calls about tasks: those of every entry, and list, replace, delete, start."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.entries import Count, add_calls, to_public
from mystocks_dagster.api.request_models import DryRun, Fields, Manager, StartBody, TaskId
from mystocks_dagster.api.response_models import BODY, NextRun, TaskResponse, described
from mystocks_dagster.taskfile.model import TaskType

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
add_calls(router, "task", "TaskConfig", ["schedules"])
#: The coming starts of all, tasks and groups.
schedules = APIRouter(prefix="/api", tags=["tasks", "schedules"])


@router.get("", include_in_schema=False)
@router.get("/", responses=described(list[dict[str, Any]], "Tasks with all their fields"))
def list_tasks(
    manager: Manager,
    task_type: Annotated[TaskType | None, Query(description="Only tasks of this type.")] = None,
    tags: Annotated[
        str, Query(max_length=1000, description="Only tasks with one of these tags, separated by commas.")
    ] = "",
) -> Any:
    """List the tasks that can run; what is broken in the file is told by `health` and by asking for it."""
    switches = manager.switches()
    return [to_public(task, switches) for task in manager.list_tasks(task_type, tags)]


@schedules.get("/next", responses=described(list[NextRun]))
def next_runs(manager: Manager, count: Count = 10) -> Any:
    """List the coming starts of all schedules that are on, in order."""
    return [start.to_json() for start in manager.next_runs(None, count)]


@router.put("/{task_id}", responses=described(TaskResponse), openapi_extra={BODY: "TaskConfig"})
def replace_task(manager: Manager, task_id: TaskId, config: Fields, dry_run: DryRun = False) -> Any:
    """Let a task be what is sent, all of it."""
    return manager.replace_task(task_id, config, dry_run=dry_run).to_json()


@router.delete("/{task_id}", responses=described(TaskResponse))
def delete_task(
    manager: Manager,
    task_id: TaskId,
    force: Annotated[bool, Query(description="Also take it out of the tasks and groups that name it.")] = False,
    dry_run: DryRun = False,
) -> Any:
    """Delete a task from tasks.yaml; its history stays."""
    return manager.delete_task(task_id, force=force, dry_run=dry_run).to_json()


@router.post("/{task_id}/start", responses=described(TaskResponse))
def start_task(manager: Manager, task_id: TaskId, body: StartBody | None = None) -> Any:
    """Start a task; the answer has the execution's id at once."""
    manager.get_task(task_id)
    body = body or StartBody()
    return manager.start_task(task_id, body.params, only=body.only).to_json()
