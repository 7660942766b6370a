"""The REST interface as an application: `create_app(settings)`."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse

from mystocks_dagster.api import exchange, executions, groups, health, pages, problems, reference, schemas, statistics, tasks
from mystocks_dagster.api.answers import Answer
from mystocks_dagster.api.guards import BodyLimit, Door
from mystocks_dagster.api.notices import TaskFileHeaders
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.settings import Settings

#: Bytes of a request's body; a task file of 1,000 tasks has half of that.
MAX_BODY = 1_000_000


def create_app(settings: Settings) -> FastAPI:
    """Return the application for a project; `app.state.manager` is its `TaskManager`.

    One application serves any number of threads over one Dagster instance, and notices when tasks.yaml is saved by others.
    """
    app = FastAPI(
        title="MyStocks",
        version=version("mystocks-dagster"),
        description="The tasks of tasks.yaml: list, change, start, stop, look back. Errors of every call have one shape, `ErrorBody`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=Answer,
        responses=problems.RESPONSES,
    )
    app.state.manager = TaskManager(settings, started_by="rest", trusted=False)
    problems.register(app)
    # Fixed paths come before /api/tasks/{task_id}.
    for module in (health, executions, statistics, exchange, groups, tasks):
        app.include_router(module.router)
    app.include_router(reference.router)
    for router in pages.routers():
        app.include_router(router)
    app.get("/", include_in_schema=False)(_home)
    app.openapi = lambda: _openapi(app)
    # The last one added is asked first.
    app.add_middleware(TaskFileHeaders, loaded=lambda: app.state.manager.last_project)
    app.add_middleware(BodyLimit, largest=MAX_BODY)
    app.add_middleware(Door, token=settings.api_token)
    return app


async def _home() -> RedirectResponse:
    return RedirectResponse("/tasks")


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        app.openapi_schema = schemas.completed(found)
    return app.openapi_schema
