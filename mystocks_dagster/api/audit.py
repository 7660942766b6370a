"""The REST call for the audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mystocks_dagster.api.request_models import Manager, Since

router = APIRouter(prefix="/api/audit", tags=["health"])


@router.get("")
def get_audit(
    manager: Manager,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Maximum number, newest first.")] = 100,
    since: Since = None,
    user: Annotated[str | None, Query(description="Only what this user has done.")] = None,
) -> list[dict[str, Any]]:
    """Get who has changed, started or stopped what: time, user, interface, action, target, detail, machine."""
    return [entry.to_json() for entry in manager.project.audit(limit=limit, since=since, user=user)]
