"""Who may come in, and with how much: token, host, origin and the size of the body, before anything is read."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.api.answers import Answer
from mystocks_dagster.api.problems import body

#: Set in the scope of a request that showed the token, or needs none.
KNOWN = "mystocks.known"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Answered to strangers too, but with the bare status.
_OPEN_PATHS = frozenset({"/api/tasks/health", "/api/tasks/health/"})


class Door:
    """Lets a request in when it shows the token, or, where none is set, when it was meant for this machine.

    Without a token only a loopback host name is answered: a page of another site that makes its own name point to
    127.0.0.1 (DNS rebinding) sends that name. A call that changes something must not come from another site's page.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Answer | None:
        host = headers.get("host", "")
        if self._token is None and not is_loopback(host_name(host)):
            return _refused(
                403,
                f"This server answers to 127.0.0.1 and localhost only, not to {host[:100]!r}. "
                "To reach it under another name, set MYSTOCKS_API_TOKEN and start it again.",
            )
        scope[KNOWN] = self._token is None or _shows(headers.get("authorization", ""), self._token)
        if not scope[KNOWN] and scope["path"] not in _OPEN_PATHS:
            answer = _refused(401, "This server wants a token: send the header Authorization: Bearer <MYSTOCKS_API_TOKEN>.")
            # A browser asks its user, who gives the token as the password.
            answer.headers["www-authenticate"] = 'Bearer realm="MyStocks", Basic realm="MyStocks"'
            return answer
        if scope["method"] not in _SAFE_METHODS and _foreign(headers, host):
            return _refused(403, "A page of another site may change nothing here: call it from a program or this server's pages.")
        return None


class BodyLimit:
    """Refuses a body that is too large before it is read into memory."""

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > self._largest:
            await self._too_large()(scope, receive, send)
            return
        taken = 0
        started = False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._largest:
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
                await self._too_large()(scope, receive, send)

    def _too_large(self) -> Answer:
        message = f"The body is larger than {self._largest:,} bytes. Import a large file from the export folder instead."
        return _refused(413, message, close=True)


class _TooLarge(BaseException):
    """The body went on after the limit; no handler in between may take it for a failure of its own."""


def host_name(host: str) -> str:
    """Return the name or address of a Host header, without its port.

    Examples:
        >>> [host_name(text) for text in ("localhost:8888", "[::1]:8888", "::1")]
        ['localhost', '::1', '::1']
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def is_loopback(name: str) -> bool:
    """Say whether a host name or address means this machine and no other.

    Examples:
        >>> [is_loopback(name) for name in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "localhost.example.com")]
        [True, True, True, False, False]
    """
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _foreign(headers: Mapping[str, str], host: str) -> bool:
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def _shows(authorization: str, token: str) -> bool:
    kind, _, value = authorization.strip().partition(" ")
    shown = value.strip()
    if kind.lower() == "basic":
        try:
            shown = base64.b64decode(shown, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), token.encode())


def _refused(status: int, message: str, *, close: bool = False) -> Answer:
    kinds = {401: "Unauthorized", 403: "Forbidden", 413: "TooLarge"}
    return Answer(body(kinds[status], message), status, headers={"connection": "close"} if close else None)
