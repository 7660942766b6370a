"""REST calls about tasks: those of `entries`, and list, replace, delete, start."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.entries import Count, add_calls, to_public
from mystocks_dagster.api.languages import SpokenRoute
from mystocks_dagster.api.request_models import DryRun, Fields, Manager, StartBody, TaskId
from mystocks_dagster.api.response_models import BODY, NextRun, TaskResponse, documented
from mystocks_dagster.taskfile.model import TaskType

router = APIRouter(prefix="/api/tasks", tags=["tasks"], route_class=SpokenRoute)
add_calls(router, "task", "TaskConfig", ["schedules"])
#: The next runs of all tasks and groups.
schedules = APIRouter(prefix="/api", tags=["tasks", "schedules"])


@router.get("", include_in_schema=False)
@router.get("/", responses=documented(list[dict[str, Any]], "Tasks with all their fields"))
def list_tasks(
    manager: Manager,
    task_type: Annotated[TaskType | None, Query(description="Only tasks of this type.")] = None,
    tags: Annotated[
        str, Query(max_length=1000, description="Only tasks with one of these tags, separated by commas.")
    ] = "",
) -> Any:
    """List the valid tasks; `health` lists the broken ones."""
    switches = manager.switches()
    return [to_public(task, switches) for task in manager.list_tasks(task_type, tags)]


@schedules.get("/next", responses=documented(list[NextRun]))
def next_runs(manager: Manager, count: Count = 10) -> Any:
    """List the next runs of all schedules that are on, in order of time."""
    return [start.to_json() for start in manager.next_runs(None, count)]


@router.put("/{task_id}", responses=documented(TaskResponse), openapi_extra={BODY: "TaskConfig"})
def replace_task(manager: Manager, task_id: TaskId, config: Fields, dry_run: DryRun = False) -> Any:
    """Replace all fields of a task."""
    return manager.replace_task(task_id, config, dry_run=dry_run).to_json()


@router.delete("/{task_id}", responses=documented(TaskResponse))
def delete_task(
    manager: Manager,
    task_id: TaskId,
    force: Annotated[bool, Query(description="Also remove it from the tasks and groups that refer to it.")] = False,
    dry_run: DryRun = False,
) -> Any:
    """Delete a task from tasks.yaml; its history is kept."""
    return manager.delete_task(task_id, force=force, dry_run=dry_run).to_json()


@router.post("/{task_id}/start", responses=documented(TaskResponse))
def start_task(manager: Manager, task_id: TaskId, body: StartBody | None = None) -> Any:
    """Start a task and respond at once with the execution's id."""
    manager.get_task(task_id)
    body = body or StartBody()
    return manager.start_task(task_id, body.params, only=body.only, failed_only=body.failed_only).to_json()
