"""The routers of the pages."""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from mystocks_dagster.api.pages import actions, backtest_views, data_views, edit_views, home_views, market_views, views
from mystocks_dagster.api.pages.site import Site, route_class
from mystocks_dagster.errors import UnknownName

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "tasks.css": "text/css",
    "market.css": "text/css",
    "tasks.js": "text/javascript",
    "market.js": "text/javascript",
}


def pages() -> list[APIRouter]:
    """Return the routers of the pages, for an application whose `state.manager` is a `TaskManager`."""
    site = Site()
    return [_home(site), _market(site), _data(site), _backtests(site), _tasks(site)]


def _home(site: Site) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=route_class(site))
    home_views.register(router, site)
    return router


def _market(site: Site) -> APIRouter:
    router = APIRouter(prefix="/market", include_in_schema=False, route_class=route_class(site))
    market_views.register(router, site)
    return router


def _data(site: Site) -> APIRouter:
    router = APIRouter(prefix="/data", include_in_schema=False, route_class=route_class(site))
    data_views.register(router, site)
    return router


def _backtests(site: Site) -> APIRouter:
    router = APIRouter(prefix="/backtests", include_in_schema=False, route_class=route_class(site))
    backtest_views.register(router, site)
    return router


def _tasks(site: Site) -> APIRouter:
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
