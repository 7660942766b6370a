"""Authentication: host name, origin and token of each request and websocket, checked before its body is read."""

import base64
import binascii
import hmac
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.addresses import host_name, is_loopback
from mystocks_dagster.api.error_responses import body
from mystocks_dagster.api.origins import Source, is_followed_link, source_of
from mystocks_dagster.api.responses import JsonResponse
from mystocks_dagster.api.session import Sessions

#: Scope key: whether the request has the token, or no token is set.
AUTHENTICATED = "mystocks.authenticated"
#: Calls without authentication: the bare status, the probes, and which instance this server belongs to.
_OPEN_PATHS = ("/api/tasks/health", "/api/tasks/health/", "/health/live", "/health/ready", "/ready")
_OPEN_CALLS = frozenset({(method, path) for method in ("GET", "HEAD") for path in _OPEN_PATHS})
#: Headers that are checked here. A request with a duplicate of one is ambiguous.
_CHECKED_HEADERS = ("host", "origin", "sec-fetch-site", "authorization", "content-type")


class AuthMiddleware:
    """Accepts requests with the token or, if none is set, requests to a loopback host name.

    The host name matters because of DNS rebinding: a page of another site may resolve its own name to 127.0.0.1, but
    sends that name. A page of another site may only link here: calls, images, frames, scripts and websockets are
    refused.
    """

    def __init__(self, app: ASGIApp, token: str | None, server_id: str) -> None:
        self._app = app
        self._token = token
        self._sessions = Sessions(token, server_id) if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, self._with_session(scope, headers, send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> JsonResponse | None:
        names = [name for name, _ in scope["headers"]]
        if duplicates := [name for name in _CHECKED_HEADERS if names.count(name.encode()) > 1]:
            return _refused(400, f"Duplicate header: {duplicates[0]}.")
        host = headers.get("host", "")
        if self._token is None and not is_loopback(host_name(host)):
            return _refused(
                403,
                f"This server accepts only the host names 127.0.0.1 and localhost, not {host[:100]!r}. "
                "To use another name, set MYSTOCKS_API_TOKEN and restart the server.",
            )
        # A websocket begins with a GET.
        method = scope.get("method", "GET")
        scope[AUTHENTICATED] = self._is_authenticated(scope, headers)
        if not scope[AUTHENTICATED] and (method, scope["path"]) not in _OPEN_CALLS:
            response = _refused(
                401, "This server requires a token. Send the header Authorization: Bearer <MYSTOCKS_API_TOKEN>."
            )
            # A browser asks its user for the token as the password. Chromium reads only one scheme per header.
            for scheme in ("Basic", "Bearer"):
                response.headers.append("www-authenticate", f'{scheme} realm="MyStocks"')
            return response
        if source_of(headers) is Source.FOREIGN and not (scope["type"] == "http" and is_followed_link(method, headers)):
            return _refused(
                403, "Requests from other sites' pages are refused. Use a program or this server's own pages."
            )
        return None

    def _is_authenticated(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        if self._token is None or _has_token(headers.get("authorization", ""), self._token):
            return True
        return scope["type"] == "websocket" and self._sessions is not None and self._sessions.is_valid(headers)

    def _with_session(self, scope: Scope, headers: Mapping[str, str], send: Send) -> Send:
        """Return a `send` that sets the websocket cookie for a browser that authenticated by password."""
        sessions = self._sessions
        by_password = headers.get("authorization", "").lower().startswith("basic ")
        authenticated = by_password and scope["type"] == "http" and scope[AUTHENTICATED]
        if not authenticated or sessions is None or sessions.is_fresh(headers):
            return send

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = sessions.cookie(secure=scope["scheme"] == "https")
                message = {**message, "headers": [*message.get("headers", []), (b"set-cookie", cookie.encode())]}
            await send(message)

        return send_with_cookie


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _has_token(authorization: str, token: str) -> bool:
    scheme, _, value = authorization.strip().partition(" ")
    credential = value.strip()
    if scheme.lower() == "basic":
        try:
            credential = base64.b64decode(credential, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(credential.encode("utf-8", "surrogateescape"), token.encode())


def _refused(status: int, message: str) -> JsonResponse:
    kinds = {400: "InvalidRequest", 401: "Unauthorized", 403: "Forbidden"}
    return JsonResponse(body(kinds[status], message), status)
