"""Where a request comes from, as browsers say it: one rule for REST, pages, GraphQL and websockets."""

from collections.abc import Mapping
from enum import Enum

_OTHER_SITES = ("cross-site", "same-site")


class Source(Enum):
    """Who sent a request."""

    OWN = "a page of this server"
    FOREIGN = "a page of another site"
    UNSTATED = "a program, or a person who typed the address"


def source_of(headers: Mapping[str, str]) -> Source:
    """Return who sent a request; browsers state it in headers that a page's script cannot set.

    A page of another port of this machine is another site's page, too.

    Examples:
        >>> source_of({"host": "127.0.0.1:3000", "origin": "http://127.0.0.1:3000"}).name
        'OWN'
        >>> source_of({"host": "127.0.0.1:3000", "origin": "null"}).name
        'FOREIGN'
        >>> source_of({"host": "127.0.0.1:3000"}).name
        'UNSTATED'
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return Source.FOREIGN
    if site in _OTHER_SITES:
        return Source.FOREIGN
    return Source.OWN if origin is not None or site == "same-origin" else Source.UNSTATED


def is_followed_link(method: str, headers: Mapping[str, str]) -> bool:
    """Say whether a browser opens the address as a page of its own, as after a click on a link in a mail.

    The page that has the link sees nothing of the answer, which is why another site's page may have one.
    """
    return (
        method in ("GET", "HEAD")
        and "origin" not in headers
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
