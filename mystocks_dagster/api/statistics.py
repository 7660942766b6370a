"""The REST call for statistics."""

from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.request_models import Manager, OptionalId, Since, Until
from mystocks_dagster.api.response_models import TaskStatistics, documented

router = APIRouter(prefix="/api/tasks/statistics", tags=["executions"])


@router.get("", include_in_schema=False)
@router.get("/", responses=documented(dict[str, TaskStatistics]))
def get_statistics(manager: Manager, task_id: OptionalId = None, since: Since = None, until: Until = None) -> Any:
    """Get counts, durations and success rate by task id."""
    statistics = manager.get_statistics(task_id, since=since, until=until)
    return {name: item.to_json() for name, item in statistics.items()}
