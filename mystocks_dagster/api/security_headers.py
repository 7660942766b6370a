"""Security headers of responses: no type sniffing, no caching, no framing."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.instance import DAGSTER_PATH

#: Also sent in the responses of `connections`.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: For responses without a Cache-Control of their own.
NO_STORE = {"Cache-Control": "no-store"}
_UNFRAMED = "frame-ancestors 'none'"
#: For JSON, text and /docs, whose icon is an empty image in the page itself.
_STRICT = (
    f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; {_UNFRAMED}; base-uri 'none'; form-action 'none'"
)
#: For the pages, whose style sheets and scripts are static files; charts draw on canvases and fetch their data.
PAGES_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    f"form-action 'self'; {_UNFRAMED}; base-uri 'none'"
)
#: Added to the policy of a page of Dagster's UI.
_DAGSTER = f"connect-src 'self'; {_UNFRAMED}; form-action 'self'"
#: For pages of Dagster's UI without a policy, such as the GraphQL editor, which has inline scripts.
_DAGSTER_DEFAULT = f"default-src 'self' 'unsafe-inline' data:; object-src 'none'; base-uri 'none'; {_DAGSTER}"
_DAGSTER_PATHS = (f"{DAGSTER_PATH}/", "/graphql")
#: Files of Dagster's UI whose names contain a hash of their content.
_DAGSTER_FILES = f"{DAGSTER_PATH}/_next/static/"


class SecurityHeaders:
    """Adds the headers to every response, errors and Dagster's UI included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(ALWAYS)
                headers["Content-Security-Policy"] = _policy(scope["path"], headers.get("Content-Security-Policy"))
                if scope["path"].startswith(_DAGSTER_FILES) and message["status"] in (200, 304):
                    headers["Cache-Control"] = "private, max-age=31536000, immutable"
                for name, value in NO_STORE.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _policy(path: str, own: str | None) -> str:
    """Return the content security policy of a response; `own` is the one that it already has."""
    if not path.startswith(_DAGSTER_PATHS):
        return own or _STRICT
    return f"{own.rstrip('; ')}; {_DAGSTER}" if own else _DAGSTER_DEFAULT
