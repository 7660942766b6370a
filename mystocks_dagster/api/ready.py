"""The readiness call, for the program that started the server."""

from typing import Any

from fastapi import APIRouter

from mystocks_dagster.api.request_models import Manager
from mystocks_dagster.instance import home_id

router = APIRouter(include_in_schema=False)


@router.get("/ready")
def ready(manager: Manager) -> Any:
    """Return that the server is ready and for which instance; another program may have taken its port."""
    return {"ready": True, "server": "mystocks", "instance": home_id(manager.settings.dagster_home)}
