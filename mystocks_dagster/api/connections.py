"""HTTP connections with limits: a slow request, or one whose head does not end, holds no connection for long."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mystocks_dagster.api import security_headers

#: Seconds from the first byte of a request, or from the connection, to the end of its head.
HEAD_SECONDS = 10.0
#: Seconds from the end of the head to the end of the body.
BODY_SECONDS = 30.0
#: Bytes of a head; a browser's has some 2,000.
MAX_HEAD = 65_536
_HEADERS = "".join(
    f"{name.lower()}: {value}\r\n"
    for name, value in {
        "Content-Type": "text/plain; charset=utf-8",
        "Connection": "close",
        **security_headers.ALWAYS,
        **security_headers.KEEP_NOTHING,
    }.items()
).encode()


class LimitedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which itself waits for a head and a body without end."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        super().connection_made(transport)  # ty: ignore[invalid-argument-type]
        self._limit(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._unlimit()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        if self._in_head:
            if self._deadline is None:
                self._limit(HEAD_SECONDS)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large", b"The head of the request is larger than 64 KB.")

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the websocket's protocol, which has limits of its own."""
        self._unlimit()
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """Wait for the body."""
        self._in_head, self._head_bytes = False, 0
        self._limit(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next request, which has time until its first byte as uvicorn's keep-alive says."""
        self._in_head = True
        self._unlimit()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(b"400 Bad Request", msg.encode())

    def _limit(self, seconds: float) -> None:
        self._unlimit()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _unlimit(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        # A browser opens connections before it needs them, and takes an answer there for that to its next request.
        if answering or (self._in_head and not self._head_bytes):
            self.transport.close()
        else:
            self._refuse(b"408 Request Timeout", b"The request was not sent in time.")

    def _refuse(self, status: bytes, message: bytes) -> None:
        length = b"content-length: %d\r\n\r\n" % len(message)
        self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + _HEADERS + length + message)
        self.transport.close()
