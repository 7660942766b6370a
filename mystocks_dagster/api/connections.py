"""HTTP connections with limits on the time of a request and the size of its head."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mystocks_dagster.api import security_headers

#: Seconds from the connection, or the first byte of a later request, to the end of the request's head.
HEAD_SECONDS = 10.0
#: Seconds from the end of the head to the end of the body.
BODY_SECONDS = 30.0
#: Largest head in bytes; a browser sends about 2,000.
MAX_HEAD = 65_536
_HEADERS = "".join(
    f"{name.lower()}: {value}\r\n"
    for name, value in {
        "Content-Type": "text/plain; charset=utf-8",
        "Connection": "close",
        **security_headers.ALWAYS,
        **security_headers.NO_STORE,
    }.items()
).encode()


class LimitedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with the time limits that uvicorn lacks."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time limit of the first request."""
        super().connection_made(transport)  # ty: ignore[invalid-argument-type]
        self._set_deadline(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of the head and parse the data."""
        if self._in_head:
            if self._deadline is None:
                self._set_deadline(HEAD_SECONDS)
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large", b"The request head exceeds 64 KB.")

    def handle_websocket_upgrade(self) -> None:
        """Pass the connection to the websocket protocol, which has its own limits."""
        self._cancel_deadline()
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """Start the time limit of the body."""
        self._in_head, self._head_bytes = False, 0
        self._set_deadline(BODY_SECONDS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Cancel the time limit; uvicorn's keep-alive limits the time until the next request."""
        self._in_head = True
        self._cancel_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Respond to data that is not HTTP."""
        self._refuse(b"400 Bad Request", msg.encode())

    def _set_deadline(self, seconds: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(seconds, self._time_out)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        responding = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        # A browser opens connections in advance and would take a response there for that to its next request.
        if responding or (self._in_head and not self._head_bytes):
            self.transport.close()
        else:
            self._refuse(b"408 Request Timeout", b"The request was not received in time.")

    def _refuse(self, status: bytes, message: bytes) -> None:
        length = b"content-length: %d\r\n\r\n" % len(message)
        self.transport.write(b"HTTP/1.1 " + status + b"\r\n" + _HEADERS + length + message)
        self.transport.close()
