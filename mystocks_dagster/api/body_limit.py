"""How much a request may send: the size of its body."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.api.error_responses import body
from mystocks_dagster.api.responses import JsonResponse


class BodyLimit:
    """Refuses a body that is too large before it is read into memory."""

    def __init__(self, app: ASGIApp, largest: int, below: Mapping[str, int] | None = None) -> None:
        """Take the limit in bytes, and other limits for the paths that begin with a prefix."""
        self._app = app
        self._largest = largest
        self._below = below or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = next(
            (size for prefix, size in self._below.items() if scope["path"].startswith(prefix)), self._largest
        )
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > largest:
            await _too_large(largest)(scope, receive, send)
            return
        size = 0
        started = False

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > largest:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLarge:
            if not started:
                await _too_large(largest)(scope, receive, send)


class _TooLarge(BaseException):
    """The body went on after the limit; no handler in between may take it for a failure of its own."""


def _too_large(largest: int) -> JsonResponse:
    message = f"The body is larger than {largest:,} bytes. Import a large file from the export folder instead."
    return JsonResponse(body("TooLarge", message), 413, headers={"connection": "close"})
