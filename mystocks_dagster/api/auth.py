"""Authentication: host name, origin and token of each request and websocket, checked before its body is read."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.addresses import LEAST_CHARACTERS, host_name, is_long_enough, is_loopback
from mystocks_dagster.api.error_responses import refusal
from mystocks_dagster.api.guesses import Guesses
from mystocks_dagster.api.origins import Source, is_followed_link, source_of
from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.api.session import Sessions
from mystocks_dagster.project.users import KnownUsers, User

#: Scope key: whether the request has the token or a user's secret, or no token is set.
AUTHENTICATED = "mystocks.authenticated"
#: Scope key: the user of the request; None for the owner, and on a server without a token.
USER = "mystocks.user"
#: Scope key: an async function that says whether the user is still the one who was let in, for answers that last.
STILL_KNOWN = "mystocks.still_known"
#: Calls without authentication: the bare status, the probes, and which instance this server belongs to.
_OPEN_PATHS = ("/api/tasks/health", "/api/tasks/health/", "/health/live", "/health/ready", "/ready")
_OPEN_CALLS = frozenset({(method, path) for method in ("GET", "HEAD") for path in _OPEN_PATHS})
#: Headers that are checked here. A request with a duplicate of one is ambiguous.
_CHECKED_HEADERS = ("host", "origin", "sec-fetch-site", "authorization", "content-type")


class AuthMiddleware:
    """Accepts requests with the token or a user's secret or, if no token is set, requests to a loopback host name.

    A websocket stays open for hours, so its user is looked up again with its messages.

    After ten wrong secrets from one address, its further ones are not looked at for up to a minute.

    A short token could be guessed from other machines, so it opens loopback host names only.

    The host name matters because of DNS rebinding: a page of another site may resolve its own name to 127.0.0.1, but
    sends that name. A page of another site may only link here: calls, images, frames, scripts and websockets are
    refused.
    """

    def __init__(self, app: ASGIApp, token: str | None, server_id: str, users: KnownUsers) -> None:
        self._app = app
        self._token = token
        self._users = users
        self._guesses = Guesses()
        self._sessions = Sessions(token, server_id) if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            scope[STILL_KNOWN] = partial(self._is_still_known, scope[USER])
            if scope["type"] == "websocket":
                receive, send = _while_known(scope[STILL_KNOWN], receive, send)
            await self._app(scope, receive, self._with_session(scope, headers, send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> JsonResponse | None:
        names = [name for name, _ in scope["headers"]]
        if duplicates := [name for name in _CHECKED_HEADERS if names.count(name.encode()) > 1]:
            return _refused(scope, 400, f"Duplicate header: {duplicates[0]}.")
        host = headers.get("host", "")
        if self._token is None and not is_loopback(host_name(host)):
            return _refused(
                scope,
                403,
                f"This server accepts only the host names 127.0.0.1 and localhost, not {host[:100]!r}. "
                "To use another name, set MYSTOCKS_API_TOKEN and restart the server.",
            )
        if not is_long_enough(self._token) and not is_loopback(host_name(host)):
            return _refused(
                scope,
                403,
                f"This server accepts only the host names 127.0.0.1 and localhost, not {host[:100]!r}, because its "
                f"MYSTOCKS_API_TOKEN has fewer than {LEAST_CHARACTERS} characters. Set a long random text (such as "
                "`openssl rand -hex 32` prints) and restart the server.",
            )
        # A websocket begins with a GET.
        method = scope.get("method", "GET")
        scope[USER] = None
        credential = _credential(headers.get("authorization", ""))
        seconds_left = self._guesses.seconds_left(scope) if credential else 0
        scope[AUTHENTICATED] = not seconds_left and self._is_authenticated(scope, headers, credential)
        if not scope[AUTHENTICATED] and (method, scope["path"]) not in _OPEN_CALLS:
            if seconds_left:
                message = f"Too many wrong tokens came from your address. Try again in {seconds_left} s."
                return _refused(scope, 429, message, **{"retry-after": str(seconds_left)})
            response = _refused(
                scope,
                401,
                "This server requires a token. Send the header Authorization: Bearer <MYSTOCKS_API_TOKEN>, or with the "
                "secret of a user in its place.",
            )
            # A browser asks its user for the token as the password. Chromium reads only one scheme per header.
            for scheme in ("Basic", "Bearer"):
                response.headers.append("www-authenticate", f'{scheme} realm="MyStocks"')
            return response
        if source_of(headers) is Source.FOREIGN and not (scope["type"] == "http" and is_followed_link(method, headers)):
            return _refused(
                scope, 403, "Requests from other sites' pages are refused. Use a program or this server's own pages."
            )
        return None

    def _is_authenticated(
        self, scope: Scope, headers: Mapping[str, str], credential: tuple[str | None, str] | None
    ) -> bool:
        if self._token is None:
            return True
        if credential:
            name, secret = credential
            if hmac.compare_digest(secret.encode("utf-8", "surrogateescape"), self._token.encode()):
                return True
            scope[USER] = self._users.with_secret(secret, name)
            if scope[USER] is None:
                self._guesses.note(scope, secret)
            return scope[USER] is not None
        user = self._sessions.user(headers) if scope["type"] == "websocket" and self._sessions else None
        if user:
            scope[USER] = self._users.all().get(user)
        return user == "" or scope[USER] is not None

    async def _is_still_known(self, user: User | None) -> bool:
        return user is None or (await run_in_threadpool(self._users.all)).get(user.name) == user

    def _with_session(self, scope: Scope, headers: Mapping[str, str], send: Send) -> Send:
        """Return a `send` that sets the websocket cookie for a browser that authenticated by password."""
        sessions = self._sessions
        by_password = headers.get("authorization", "").lower().startswith("basic ")
        authenticated = by_password and scope["type"] == "http" and scope[AUTHENTICATED]
        if not authenticated or sessions is None or sessions.is_fresh(headers):
            return send

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                name = scope[USER].name if scope[USER] else ""
                cookie = sessions.cookie(name, secure=scope["scheme"] == "https")
                message = {**message, "headers": [*message.get("headers", []), (b"set-cookie", cookie.encode())]}
            await send(message)

        return send_with_cookie


def _while_known(is_known: Callable[[], Awaitable[bool]], receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return channels of a websocket that end at the next message after its user was removed or changed."""
    closed = False

    async def ended() -> bool:
        nonlocal closed
        if not await is_known() and not closed:
            closed = True
            await send({"type": "websocket.close", "code": 1008})
        return closed

    async def receive_while_known() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and await ended():
            return {"type": "websocket.disconnect", "code": 1008}
        return message

    async def send_while_known(message: Message) -> None:
        if not closed and not (message["type"] == "websocket.send" and await ended()):
            await send(message)

    return receive_while_known, send_while_known


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _credential(authorization: str) -> tuple[str | None, str] | None:
    """Return user name, None for a bearer token, and secret; None if the header has neither form."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


def _refused(scope: Scope, status: int, message: str, **headers: str) -> JsonResponse:
    kinds = {400: "InvalidRequest", 401: "Unauthorized", 403: "Forbidden", 429: "TooManyGuesses"}
    return refusal(HTTPConnection(scope), status, kinds[status], message, **headers)
