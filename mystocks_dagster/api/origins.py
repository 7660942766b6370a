"""The source of a request as browsers state it: one rule for REST, pages, GraphQL and websockets."""

from collections.abc import Mapping
from enum import Enum

_OTHER_SITES = ("cross-site", "same-site")


class Source(Enum):
    """The source of a request."""

    OWN = "a page of this server"
    FOREIGN = "a page of another site"
    UNSTATED = "a program, or a person who typed the address"


def source_of(headers: Mapping[str, str]) -> Source:
    """Return the source of a request from headers that a page's script cannot set.

    A page on another port of this machine counts as another site's page.

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
    """Return whether a browser opens the address as a page, as after a click on a link in an e-mail.

    The linking page cannot read the response, so other sites may link here.
    """
    return (
        method in ("GET", "HEAD")
        and "origin" not in headers
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )
