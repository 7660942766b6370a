"""REST calls about groups: those of `entries`, and list, delete, start."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.entries import add_calls, to_public
from mystocks_dagster.api.languages import SpokenRoute
from mystocks_dagster.api.request_models import DryRun, GroupId, Manager
from mystocks_dagster.api.response_models import TaskResponse, documented

router = APIRouter(prefix="/api/groups", tags=["groups"], route_class=SpokenRoute)
add_calls(router, "group", "TaskGroup", [])


@router.get("", include_in_schema=False)
@router.get("/", responses=documented(list[dict[str, Any]], "Groups with all their fields"))
def list_groups(manager: Manager) -> Any:
    """List the valid groups."""
    switches = manager.switches()
    return [to_public(group, switches) for group in manager.list_groups()]


@router.delete("/{group_id}", responses=documented(TaskResponse))
def delete_group(manager: Manager, group_id: GroupId, dry_run: DryRun = False) -> Any:
    """Delete a group from tasks.yaml; its tasks are kept."""
    return manager.delete_group(group_id, dry_run=dry_run).to_json()


@router.post("/{group_id}/start", responses=documented(TaskResponse))
def start_group(
    manager: Manager,
    group_id: GroupId,
    force: Annotated[bool, Query(description="Run it even if the task file disables it.")] = False,
) -> Any:
    """Start a group and respond at once; `data` has the ids of the run and its executions."""
    manager.get_group(group_id)
    return manager.start_task(group_id, force=force).to_json()
