"""Response headers with the version of the task file and, if an older version is in use, the fault of the file."""

from collections.abc import Callable
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.project.project import Project

VERSION = b"x-mystocks-taskfile"
#: Percent-encoded, because headers are ASCII.
PROBLEM = b"x-mystocks-taskfile-problem"


class TaskFileHeaders:
    """Adds the headers; none if the request did not load the task file.

    Args:
        app: The application.
        loaded: Returns the project of the last request without reading any file.
    """

    def __init__(self, app: ASGIApp, loaded: Callable[[], Project | None]) -> None:
        self._app, self._loaded = app, loaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/tasks")):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers()]}
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        project = self._loaded()
        version = project.loaded if project else None
        if project is None or version is None:
            return []
        problem = [(PROBLEM, quote(project.notice, safe=" :/.,;'()[]{}=-").encode())] if project.notice else []
        return [(VERSION, version.hash.encode()), *problem]
