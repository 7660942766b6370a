"""The health call, for monitoring."""

from typing import Any

from fastapi import APIRouter, Request

from mystocks_dagster.api.auth import AUTHENTICATED
from mystocks_dagster.api.request_models import Manager
from mystocks_dagster.api.response_models import HealthState, documented

router = APIRouter(prefix="/api/tasks/health", tags=["health"])


@router.get("/", include_in_schema=False)
@router.get("", responses=documented(HealthState))
def health(request: Request, manager: Manager) -> Any:
    """Get the project's health: its parts, and a remedy for each that does not work."""
    health_json = manager.health().to_json()
    return health_json if request.scope.get(AUTHENTICATED) else {"status": health_json["status"]}
