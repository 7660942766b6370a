"""The call that monitoring asks."""

from typing import Any

from fastapi import APIRouter, Request

from mystocks_dagster.api.auth import KNOWN
from mystocks_dagster.api.request_models import Manager
from mystocks_dagster.api.response_models import HealthState, described

router = APIRouter(prefix="/api/tasks/health", tags=["health"])


@router.get("/", include_in_schema=False)
@router.get("", responses=described(HealthState))
def health(request: Request, manager: Manager) -> Any:
    """Say whether the project works, and what to do where it does not."""
    found = manager.health().to_json()
    return found if request.scope.get(KNOWN) else {"status": found["status"]}
