"""The call about how it went."""

from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.request_models import Manager, OptionalId, Since, Until
from mystocks_dagster.api.response_models import TaskStatistics, described

router = APIRouter(prefix="/api/tasks/statistics", tags=["executions"])


@router.get("", include_in_schema=False)
@router.get("/", responses=described(dict[str, TaskStatistics]))
def get_statistics(manager: Manager, task_id: OptionalId = None, since: Since = None, until: Until = None) -> Any:
    """Show, by task, how often it ran and how it went."""
    found = manager.get_statistics(task_id, since=since, until=until)
    return {name: one.to_json() for name, one in found.items()}
