"""The router of the pages below /tasks."""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from mystocks_dagster.api.pages import actions, edit_views, views
from mystocks_dagster.api.pages.site import Site, route_class
from mystocks_dagster.errors import UnknownName

_STATIC = Path(__file__).parent / "static"
_FILES = {"tasks.css": "text/css", "tasks.js": "text/javascript"}


def pages() -> APIRouter:
    """Return the router of the pages, for an application whose `state.manager` is a `TaskManager`."""
    site = Site()
    router = APIRouter(prefix="/tasks", include_in_schema=False, route_class=route_class(site))
    # Ids do not begin with -, so everything that is not an entry is below /tasks/-/.
    router.get("/-/{name}.{ending}")(_static)
    for module in (edit_views, views, actions):
        module.register(router, site)
    return router


def _static(name: str, ending: str) -> Response:
    file = f"{name}.{ending}"
    if file not in _FILES:
        raise UnknownName(f"{file} does not exist.")
    return FileResponse(_STATIC / file, media_type=_FILES[file], headers={"Cache-Control": "max-age=600"})
