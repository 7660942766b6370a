"""Who may use the pages: forms come from the pages themselves, and a token is asked for where one is set."""

import hashlib
import hmac
from urllib.parse import urlsplit

from fastapi import Request

from mystocks_dagster.errors import Forbidden

COOKIE = "mystocks_pages"
#: Fields of the largest form, and some more.
_MOST_FIELDS = 300


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form that one of these pages sent.

    Raises:
        Forbidden: It comes from another site, whose script or link would act in the name of whoever looks at it.
    """
    if not same_origin(request):
        raise Forbidden("This form was not sent by this page. Open the page itself and send it again.")
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


def same_origin(request: Request) -> bool:
    """Say whether a page of this server sent the request; every browser says where a form comes from."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def knows(request: Request, token: str | None) -> bool:
    """Say whether the visitor has given the token, when there is one."""
    return token is None or hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), proof(token).encode())


def proof(token: str) -> str:
    """Return what the cookie of a visitor holds who has given the token."""
    return hmac.new(token.encode(), b"mystocks pages", hashlib.sha256).hexdigest()


def inside(path: str | None) -> str:
    """Return a path within the pages, for going there after signing in."""
    return path if path and (path == "/tasks" or path.startswith("/tasks/")) else "/tasks"
