"""The figures for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from mystocks_dagster.api.request_models import Manager
from mystocks_dagster.project.metrics.exposition import MEDIA_TYPE

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, manager: Manager) -> Response:
    """Get the figures of the project as text for Prometheus; docs/operation.md lists them."""
    return Response(manager.looking.metrics(request.app.state.metrics), media_type=MEDIA_TYPE)
