"""The REST application: `create_app(settings)`."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from mystocks_dagster.api import (
    audit,
    data,
    error_responses,
    executions,
    groups,
    health,
    import_export,
    metrics,
    pages,
    ready,
    reference,
    response_models,
    screens,
    statistics,
    tasks,
)
from mystocks_dagster.api.auth import AuthMiddleware
from mystocks_dagster.api.body_limit import BodyLimit
from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.api.security_headers import SecurityHeaders
from mystocks_dagster.api.taskfile_headers import TaskFileHeaders
from mystocks_dagster.instance import home_id
from mystocks_dagster.manager.tasks import TaskManager
from mystocks_dagster.project.access import REST
from mystocks_dagster.project.background_reload import BackgroundReload
from mystocks_dagster.project.metrics.exposition import Exposition
from mystocks_dagster.project.project_cache import ProjectCache
from mystocks_dagster.project.users import KnownUsers
from mystocks_dagster.settings import Settings

#: Largest request body in bytes; a task file of 1,000 tasks has half of that.
MAX_BODY = 1_000_000


class GuardedApp(FastAPI):
    """An application that authenticates every request and adds security headers to every response."""

    settings: Settings

    def build_middleware_stack(self) -> ASGIApp:
        """Return the middleware stack. `add_middleware` would not see the response to an unhandled exception."""
        home = home_id(self.settings.dagster_home)
        return SecurityHeaders(
            AuthMiddleware(
                super().build_middleware_stack(),
                token=self.settings.api_token,
                server_id=home,
                users=KnownUsers(self.settings),
            )
        )


def create_app(settings: Settings, larger_bodies: Mapping[str, int] | None = None) -> GuardedApp:
    """Return the application for a project.

    `app.state.manager` is its `TaskManager`. `app.state.projects` gives the pages the same project.

    One application serves any number of threads over one Dagster instance, and reloads tasks.yaml after a change.

    Args:
        settings: The project's settings.
        larger_bodies: Path prefix to the largest request body below it, in bytes.
    """
    app = GuardedApp(
        title="MyStocks",
        version=version("mystocks-dagster"),
        description="The tasks of tasks.yaml: list, edit, start, stop, history. "
        "Every error response is an `ErrorBody`.",
        openapi_url=None,  # api/reference.py serves it in two languages
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        default_response_class=JsonResponse,
        responses=error_responses.RESPONSES,
    )
    app.settings = settings
    app.state.projects = ProjectCache(settings, BackgroundReload(settings))
    app.state.metrics = Exposition()
    app.state.manager = TaskManager(settings, caller=REST, projects=app.state.projects)
    error_responses.register(app)
    _include_routers(app)
    app.openapi = lambda: _openapi(app)
    # The last one added handles a request first.
    app.add_middleware(TaskFileHeaders, loaded=lambda: app.state.projects.last(REST))
    app.add_middleware(BodyLimit, largest=MAX_BODY, below=larger_bodies)
    return app


def _include_routers(app: FastAPI) -> None:
    # Fixed paths come before /api/tasks/{task_id}.
    for module in (data, screens, health, executions, statistics, import_export, groups, tasks):
        app.include_router(module.router)
    app.include_router(tasks.schedules)
    app.include_router(health.probes)
    app.include_router(metrics.router)
    app.include_router(audit.router)
    app.include_router(ready.router)
    app.include_router(reference.router)
    for router in pages.routers():
        app.include_router(router)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        app.openapi_schema = response_models.add_entry_schemas(document)
    return app.openapi_schema
