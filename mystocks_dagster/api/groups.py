"""The calls about groups: the same as about tasks, under /api/groups/."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.request_models import DryRun, Fields, GroupId, Manager
from mystocks_dagster.api.response_models import BODY, NextRun, SwitchState, TaskResponse, described
from mystocks_dagster.api.tasks import shown

router = APIRouter(prefix="/api/groups", tags=["groups"])


@router.post("/register", responses=described(TaskResponse), openapi_extra={BODY: "TaskGroup"})
def register_group(manager: Manager, config: Fields, dry_run: DryRun = False) -> Any:
    """Register a group: add it to tasks.yaml."""
    return manager.register_group(config, dry_run=dry_run).to_json()


@router.get("", include_in_schema=False)
@router.get("/", responses=described(list[dict[str, Any]], "Groups with all their fields"))
def list_groups(manager: Manager) -> Any:
    """List the groups that can run."""
    switches = manager.switches()
    return [shown(group, switches) for group in manager.list_groups()]


@router.get("/{group_id}", responses=described(dict[str, Any], "A group with all its fields"))
def get_group(manager: Manager, group_id: GroupId) -> Any:
    """Show a group."""
    return shown(manager.get_group(group_id), manager.switches())


@router.patch("/{group_id}", responses=described(TaskResponse))
def update_group(manager: Manager, group_id: GroupId, changes: Fields, dry_run: DryRun = False) -> Any:
    """Change fields of a group: null removes a field, mappings are merged, all else replaces (RFC 7386)."""
    return manager.update_group(group_id, changes, dry_run=dry_run).to_json()


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


@router.post("/{group_id}/stop", responses=described(TaskResponse))
def stop_group(manager: Manager, group_id: GroupId) -> Any:
    """Stop the runs of a group; answered when they have ended."""
    return manager.stop_task(group_id).to_json()


@router.post("/{group_id}/enable", responses=described(SwitchState))
def enable_group(manager: Manager, group_id: GroupId) -> Any:
    """Switch a group's schedule on, whatever the file says."""
    manager.get_group(group_id)
    return manager.enable(group_id).to_json()


@router.post("/{group_id}/disable", responses=described(SwitchState))
def disable_group(manager: Manager, group_id: GroupId) -> Any:
    """Switch a group's schedule off, whatever the file says; what runs goes on."""
    manager.get_group(group_id)
    return manager.disable(group_id).to_json()


@router.post("/{group_id}/reset", responses=described(SwitchState))
def reset_group(manager: Manager, group_id: GroupId) -> Any:
    """Let the file's `enabled` count again."""
    manager.get_group(group_id)
    return manager.reset(group_id).to_json()


@router.get("/{group_id}/next", responses=described(list[NextRun]))
def next_runs_of_group(
    manager: Manager, group_id: GroupId, count: Annotated[int, Query(ge=1, le=1000, description="How many.")] = 10
) -> Any:
    """List the coming starts of a group; none while its schedule is off."""
    manager.get_group(group_id)
    return [one.to_json() for one in manager.next_runs(group_id, count)]
