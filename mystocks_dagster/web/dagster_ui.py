"""Dagster's web UI as an application, with readable error pages."""

from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from dagster import __version__
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from mystocks_dagster.api.error_responses import refusal
from mystocks_dagster.dagster_internals import (
    WorkspaceFileTarget,
    WorkspaceProcessContext,
    create_app_from_workspace_process_context,
)
from mystocks_dagster.instance import DAGSTER_PATH, open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.web.graphql import GraphQLGuard
from mystocks_dagster.web.mutations import MutationGuard

#: Defaults of `dagster-webserver`: statement timeout in ms, lifetime of a database connection in s, extra connections.
_STATEMENT_TIMEOUT, _POOL_RECYCLE, _POOL_OVERFLOW = 15_000, 3600, 20
_POLL_MILLISECONDS = 2000
_ERROR = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>MyStocks</title></head>
<body style="font:16px/1.6 system-ui,sans-serif;max-width:45em;margin:4em auto;padding:0 1em">
<h1>Dagster 界面出错 · Dagster's UI failed</h1>
<p>{message}</p>
<p>详情见运行 <code>mystocks ui</code> 的终端。检查项目：<code>mystocks health</code>。
任务页面：<a href="/tasks">/tasks</a></p>
<p>See the terminal of <code>mystocks ui</code> for details. To check the project: <code>mystocks health</code>.
Task pages: <a href="/tasks">/tasks</a></p></body></html>"""


#: Below them an address names a log or a run.
_NAMED = (f"{DAGSTER_PATH}/logs/", f"{DAGSTER_PATH}/download_debug/")


@contextmanager
def dagster_ui(settings: Settings, workspace: Path) -> Generator[ASGIApp]:
    """Open Dagster's UI below `DAGSTER_PATH` for the code locations of a workspace file."""
    with open_instance(settings) as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT, _POOL_RECYCLE, _POOL_OVERFLOW)
        target = WorkspaceFileTarget([str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__, code_server_log_level="WARNING") as context:
            app = create_app_from_workspace_process_context(
                context, DAGSTER_PATH, _POLL_MILLISECONDS, exception_handlers={Exception: _failed}
            )
            yield GraphQLGuard(MutationGuard(app, settings))


async def _failed(request: Request, error: Exception) -> Response:
    path = request.url.path
    # Dagster opens what the address names, without a look whether it is there.
    if path.startswith(_NAMED) and isinstance(error, (ValueError, AttributeError)):
        return refusal(request, 404, "HttpError", f"{path} does not exist. See /docs for the calls.")
    message = f"{type(error).__name__}: {error}"[:500]
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_ERROR.format(message=escape(message)), 500)
    return refusal(request, 500, "InternalError", f"Dagster's UI failed: {message}")
