"""The application of the web process."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from mystocks_dagster.api.app import create_app
from mystocks_dagster.instance import DAGSTER_PATH
from mystocks_dagster.settings import Settings
from mystocks_dagster.web.dagster_ui import dagster_ui

#: Largest request body for Dagster's UI in bytes: a backfill lists its partitions one by one.
_MAX_DAGSTER_BODY = 10_000_000
#: Paths of Dagster's UI from before it had a prefix, for links in old messages and bookmarks.
_FORMER_PAGES = (
    "asset-groups",
    "assets",
    "automation",
    "catalog",
    "deployment",
    "jobs",
    "locations",
    "overview",
    "runs",
    "selection",
)


@contextmanager
def web_app(settings: Settings, workspace: Path) -> Generator[FastAPI]:
    """Open the application; closing it releases Dagster's storage and code servers.

    Args:
        settings: The project's settings.
        workspace: Workspace file with the addresses of the code servers, or with what they load.
    """
    with dagster_ui(settings, workspace) as dagster:
        app = create_app(settings, larger_bodies={DAGSTER_PATH: _MAX_DAGSTER_BODY})
        app.state.dagster_path = DAGSTER_PATH
        app.mount(DAGSTER_PATH, _WithPath(dagster))
        graphql = _WithPath(dagster, f"{DAGSTER_PATH}/graphql")
        app.router.routes += [Route("/graphql", graphql), WebSocketRoute("/graphql", graphql)]
        for page in (DAGSTER_PATH.lstrip("/"), *_FORMER_PAGES):
            app.router.routes.append(Route(f"/{page}", _to_dagster))
            app.router.routes.append(Route(f"/{page}/{{rest:path}}", _to_dagster))
        yield app


class _WithPath:
    """Dagster's application with the full request path: it adds its own prefix, which a mount would remove."""

    def __init__(self, app: ASGIApp, path: str | None = None) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self._path or scope["path"]
        await self._app({**scope, "root_path": "", "path": path, "raw_path": path.encode()}, receive, send)


async def _to_dagster(request: Request) -> Response:
    path = f"{DAGSTER_PATH}/" if request.url.path == DAGSTER_PATH else f"{DAGSTER_PATH}{request.url.path}"
    return RedirectResponse(f"{path}?{request.url.query}" if request.url.query else path)
