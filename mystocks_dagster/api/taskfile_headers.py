"""Headers of every answer that say which version of the task file was used, and what is wrong with the file when it is an older one."""

from collections.abc import Callable
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.project.project import Project

VERSION = b"x-mystocks-taskfile"
#: Percent-encoded: a header knows no Chinese.
PROBLEM = b"x-mystocks-taskfile-problem"


class TaskFileHeaders:
    """Adds the headers; a request that needed no task file gets none.

    Args:
        app: What answers.
        loaded: Returns the project that answered last, without reading anything.
    """

    def __init__(self, app: ASGIApp, loaded: Callable[[], Project | None]) -> None:
        self._app, self._loaded = app, loaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/tasks")):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers()]}
            await send(message)

        await self._app(scope, receive, sending)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        project = self._loaded()
        version = project.loaded if project else None
        if project is None or version is None:
            return []
        problem = [(PROBLEM, quote(project.notice, safe=" :/.,;'()[]{}=-").encode())] if project.notice else []
        return [(VERSION, version.hash.encode()), *problem]
