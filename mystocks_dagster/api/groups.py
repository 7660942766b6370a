"""The calls about groups: those of every entry, and list, delete, start."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.entries import add_calls, to_public
from mystocks_dagster.api.request_models import DryRun, GroupId, Manager
from mystocks_dagster.api.response_models import TaskResponse, described

router = APIRouter(prefix="/api/groups", tags=["groups"])
add_calls(router, "group", "TaskGroup", [])


@router.get("", include_in_schema=False)
@router.get("/", responses=described(list[dict[str, Any]], "Groups with all their fields"))
def list_groups(manager: Manager) -> Any:
    """List the groups that can run."""
    switches = manager.switches()
    return [to_public(group, switches) for group in manager.list_groups()]


@router.delete("/{group_id}", responses=described(TaskResponse))
def delete_group(manager: Manager, group_id: GroupId, dry_run: DryRun = False) -> Any:
    """Delete a group from tasks.yaml; its tasks stay."""
    return manager.delete_group(group_id, dry_run=dry_run).to_json()


@router.post("/{group_id}/start", responses=described(TaskResponse))
def start_group(
    manager: Manager,
    group_id: GroupId,
    force: Annotated[bool, Query(description="Run it although the file has it disabled.")] = False,
) -> Any:
    """Start a group; `data` has the ids of the run and of its executions at once."""
    manager.get_group(group_id)
    return manager.start_task(group_id, force=force).to_json()
