"""The size limit of request bodies."""

from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.api.error_responses import refusal
from mystocks_dagster.api.responses import JsonResponse


class BodyLimit:
    """Refuses a body that is too large before it is read into memory.

    Args:
        app: The application.
        largest: Limit in bytes.
        below: Path prefix to another limit in bytes.
    """

    def __init__(self, app: ASGIApp, largest: int, below: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._largest = largest
        self._below = below or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits = (size for prefix, size in self._below.items() if scope["path"].startswith(prefix))
        largest = next(limits, self._largest)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > largest:
            await _too_large(scope, largest)(scope, receive, send)
            return
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, _limited(receive, largest), send_noting_start)
        except _TooLarge:
            if not started:
                await _too_large(scope, largest)(scope, receive, send)


def _limited(receive: Receive, largest: int) -> Receive:
    """Return a `receive` that raises `_TooLarge` after `largest` bytes."""
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > largest:
            raise _TooLarge
        return message

    return receive_limited


class _TooLarge(BaseException):
    """The body exceeds the limit. A BaseException, so that no handler in between catches it."""


def _too_large(scope: Scope, largest: int) -> JsonResponse:
    message = f"The request body exceeds {largest:,} bytes. Import a large file from the export folder instead."
    return refusal(HTTPConnection(scope), 413, "TooLarge", message, connection="close")
