"""Who may come in: host name, origin and token of each request and websocket, before anything of it is read."""

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

#: Set in the scope of a request that showed the token, or needs none.
KNOWN = "mystocks.known"
#: Answered to strangers too: the bare status, and whether this server is the one that was started.
_OPEN_CALLS = frozenset(
    {(method, path) for method in ("GET", "HEAD") for path in ("/api/tasks/health", "/api/tasks/health/", "/ready")}
)
#: Headers that decide here; a request that has one of them twice means two things.
_DECISIVE = ("host", "origin", "sec-fetch-site", "authorization", "content-type")


class AuthMiddleware:
    """Lets a request in when it shows the token, or, where none is set, when it was meant for this machine.

    Without a token only a loopback host name is answered: a page of another site that makes its own name point to
    127.0.0.1 (DNS rebinding) sends that name. A page of another site gets nothing but links: neither calls, nor images,
    frames, scripts or websockets.
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
        if twice := [name for name in _DECISIVE if names.count(name.encode()) > 1]:
            return _refused(400, f"The request has the header {twice[0]} twice.")
        host = headers.get("host", "")
        if self._token is None and not is_loopback(host_name(host)):
            return _refused(
                403,
                f"This server answers to 127.0.0.1 and localhost only, not to {host[:100]!r}. "
                "To reach it under another name, set MYSTOCKS_API_TOKEN and start it again.",
            )
        # A websocket begins with a GET.
        method = scope.get("method", "GET")
        scope[KNOWN] = self._knows(scope, headers)
        if not scope[KNOWN] and (method, scope["path"]) not in _OPEN_CALLS:
            answer = _refused(
                401, "This server wants a token: send the header Authorization: Bearer <MYSTOCKS_API_TOKEN>."
            )
            # A browser asks its user, who gives the token as the password. Chromium reads one scheme in a header, not
            # two.
            for scheme in ("Basic", "Bearer"):
                answer.headers.append("www-authenticate", f'{scheme} realm="MyStocks"')
            return answer
        if source_of(headers) is Source.FOREIGN and not (scope["type"] == "http" and is_followed_link(method, headers)):
            return _refused(
                403, "A page of another site may do nothing here: call it from a program or this server's pages."
            )
        return None

    def _knows(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        if self._token is None or _shows(headers.get("authorization", ""), self._token):
            return True
        return scope["type"] == "websocket" and self._sessions is not None and self._sessions.opens(headers)

    def _with_session(self, scope: Scope, headers: Mapping[str, str], send: Send) -> Send:
        """Return a `send` that gives a browser that showed the password the cookie for its websockets."""
        sessions = self._sessions
        by_password = headers.get("authorization", "").lower().startswith("basic ")
        if (
            sessions is None
            or not scope[KNOWN]
            or scope["type"] != "http"
            or not by_password
            or sessions.valid(headers)
        ):
            return send

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = sessions.cookie(secure=scope["scheme"] == "https")
                message = {**message, "headers": [*message.get("headers", []), (b"set-cookie", cookie.encode())]}
            await send(message)

        return send_with_cookie


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request, names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


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


def _refused(status: int, message: str) -> JsonResponse:
    kinds = {400: "InvalidRequest", 401: "Unauthorized", 403: "Forbidden"}
    return JsonResponse(body(kinds[status], message), status)
