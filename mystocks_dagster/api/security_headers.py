"""Headers that tell browsers how to treat an answer: take it as the type it states, keep nothing, frame it nowhere."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mystocks_dagster.instance import DAGSTER_PATH

#: Also on answers to what is not a request; see `connections`.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: Where the answer itself does not say how long it may be kept.
KEEP_NOTHING = {"Cache-Control": "no-store"}
_UNFRAMED = "frame-ancestors 'none'"
#: For JSON, text and the list of calls.
_STRICT = f"default-src 'none'; style-src 'unsafe-inline'; {_UNFRAMED}; base-uri 'none'; form-action 'none'"
#: For the pages below /tasks, whose styles and script are files of ours.
PAGES_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    f"{_UNFRAMED}; base-uri 'none'"
)
#: Added to the policy that a page of Dagster's UI states.
_DAGSTER = f"connect-src 'self'; {_UNFRAMED}; form-action 'self'"
#: For what Dagster's UI states no policy for, such as the GraphQL editor, whose script stands in the page.
_DAGSTER_UNSTATED = f"default-src 'self' 'unsafe-inline' data:; object-src 'none'; base-uri 'none'; {_DAGSTER}"
_DAGSTER_PATHS = (f"{DAGSTER_PATH}/", "/graphql")
#: Files of Dagster's UI whose names change with their content.
_DAGSTER_FILES = f"{DAGSTER_PATH}/_next/static/"


class SecurityHeaders:
    """Adds the headers to every answer, errors and Dagster's UI included."""

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
                for name, value in KEEP_NOTHING.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _policy(path: str, stated: str | None) -> str:
    """Return the content security policy of an answer that states one, or None."""
    if not path.startswith(_DAGSTER_PATHS):
        return stated or _STRICT
    return f"{stated.rstrip('; ')}; {_DAGSTER}" if stated else _DAGSTER_UNSTATED
