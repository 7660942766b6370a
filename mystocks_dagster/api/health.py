"""The health call, for monitoring, and the probes of orchestrators."""

from typing import Any

from fastapi import APIRouter, Request

from mystocks_dagster.api.auth import AUTHENTICATED
from mystocks_dagster.api.request_models import Manager
from mystocks_dagster.api.response_models import HealthState, documented
from mystocks_dagster.api.responses import JsonResponse

probes = APIRouter(prefix="/health", tags=["health"])
router = APIRouter(prefix="/api/tasks/health", tags=["health"])


@router.get("/", include_in_schema=False)
@router.get("", responses=documented(HealthState))
def health(request: Request, manager: Manager) -> Any:
    """Get the project's health: its parts, and a remedy for each that does not work."""
    health_json = manager.health().to_json()
    return health_json if request.scope.get(AUTHENTICATED) else {"status": health_json["status"]}


@probes.get("/live")
def live() -> Any:
    """Get whether this process answers; if not, an orchestrator starts it again."""
    return {"status": "live"}


@probes.get("/ready", responses={503: {"description": "The storage or the task file cannot be used."}})
def ready(request: Request, manager: Manager) -> Any:
    """Get whether requests can be served: the storage answers, and a version of the task file can be used.

    With the token, the answer names the checks, with a remedy for each that failed.
    """
    checks = manager.looking.readiness()
    is_ready = all(check.ok for check in checks)
    content: dict[str, Any] = {"status": "ready" if is_ready else "not_ready"}
    if request.scope.get(AUTHENTICATED):
        content["checks"] = [check.to_json() for check in checks]
    return JsonResponse(content, 200 if is_ready else 503)
