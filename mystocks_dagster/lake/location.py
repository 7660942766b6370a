"""Where a lake may be: which names of folders the libraries below can work with."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from mystocks_dagster.errors import LakeUnusable

#: delta-rs fails in folders with these, or works in another one: it takes `%41` for an `A` and a backslash for a slash.
_REFUSED = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]^|\\\x00-\x1f\x7f]")
#: polars takes the first ones for wildcards, which may match another lake too, and `=` for the value of a column.
_WILDCARDS = re.compile(r"[*?=]")


def local_path(uri: str) -> str | None:
    """Return the path of a location on this machine, as the operating system knows it; None for any other URL."""
    if uri.startswith("file://"):
        return unquote(uri.removeprefix("file://").removeprefix("localhost"))
    return None if "://" in uri else uri


def public_uri(location: str, table: str) -> str:
    """Return the address of a table as it may be shown: a `file://` URL for a folder, no user or password in any other."""
    path = local_path(location)
    if path is not None:
        return Path(os.path.realpath(path), table).as_uri()
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}/{table}", "", ""))


def check_location(location: str) -> None:
    """Refuse a folder that cannot hold a lake.

    Raises:
        LakeUnusable: Its name, or that of a folder above it, holds characters that delta-rs cannot work with.
    """
    path = local_path(location)
    found = _REFUSED.search(os.path.realpath(path)) if path else None
    if found:
        raise LakeUnusable(
            f"{location!r} cannot hold a lake: delta-rs, which stores the tables, cannot work in a folder whose name holds "
            f"{found.group()!r}. Name another folder in MYSTOCKS_LAKE, or rename this one."
        )


def has_wildcards(location: str) -> bool:
    """Say whether polars would misread the names of the files in there."""
    path = local_path(location)
    return path is not None and _WILDCARDS.search(os.path.realpath(path)) is not None
