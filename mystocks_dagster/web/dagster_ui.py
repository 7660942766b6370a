"""Dagster's web UI as an application, with the headers and the readable errors that it lacks."""

from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from pathlib import Path

from dagster import __version__
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.api.error_responses import body
from mystocks_dagster.dagster_internals import (
    WorkspaceFileTarget,
    WorkspaceProcessContext,
    create_app_from_workspace_process_context,
)
from mystocks_dagster.instance import DAGSTER_PATH, open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.web.graphql import GraphQLDoor

#: As `dagster-webserver` sets them: milliseconds of a query of the database, seconds of a connection, connections.
_STATEMENT_TIMEOUT, _POOL_RECYCLE, _POOL_OVERFLOW = 15_000, 3600, 20
_POLL_MILLISECONDS = 2000
_OURS = "connect-src 'self'; frame-ancestors 'none'; form-action 'self'"
#: For what has no policy of its own, as the GraphQL editor, whose script stands in the page.
_POLICY = f"default-src 'self' 'unsafe-inline' data:; object-src 'none'; base-uri 'none'; {_OURS}"
_ERROR = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>MyStocks</title></head>
<body style="font:16px/1.6 system-ui,sans-serif;max-width:45em;margin:4em auto;padding:0 1em">
<h1>Dagster 界面出错 · Dagster's UI failed</h1>
<p>{message}</p>
<p>原因也在运行 <code>mystocks ui</code> 的终端里；检查项目：<code>mystocks health</code>。任务页面：<a href="/tasks">/tasks</a></p>
<p>The reason is also in the terminal of <code>mystocks ui</code>; to check the project: <code>mystocks health</code>.
All tasks: <a href="/tasks">/tasks</a></p></body></html>"""


@contextmanager
def dagster_ui(settings: Settings, workspace: Path) -> Generator[ASGIApp]:
    """Open Dagster's UI below `DAGSTER_PATH`, over the code locations of a workspace file."""
    with open_instance(settings) as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT, _POOL_RECYCLE, _POOL_OVERFLOW)
        target = WorkspaceFileTarget([str(workspace)])
        with WorkspaceProcessContext(instance, target, version=__version__, code_server_log_level="WARNING") as context:
            app = create_app_from_workspace_process_context(
                context, DAGSTER_PATH, _POLL_MILLISECONDS, exception_handlers={Exception: _failed}
            )
            yield GraphQLDoor(_Headers(app))


class _Headers:
    """Says what browsers may do with Dagster's pages, and which files they may keep."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                policy = headers.get("content-security-policy")
                headers["content-security-policy"] = f"{policy.rstrip('; ')}; {_OURS}" if policy else _POLICY
                # Their names change with what they hold.
                if scope["path"].startswith(f"{DAGSTER_PATH}/_next/static/") and message["status"] in (200, 304):
                    headers["cache-control"] = "private, max-age=31536000, immutable"
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _failed(request: Request, error: Exception) -> Response:
    message = f"{type(error).__name__}: {error}"[:500]
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_ERROR.format(message=escape(message)), 500)
    return JSONResponse(body("InternalError", f"Dagster's UI failed: {message}"), 500)
