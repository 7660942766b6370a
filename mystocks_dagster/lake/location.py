"""Where a lake may be: which folder names delta-rs and polars support."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from mystocks_dagster.errors import LakeUnusable

#: delta-rs fails in folders with these, or uses another folder: it reads `%41` as `A` and a backslash as a slash.
_REFUSED = re.compile(r"%[0-9A-Fa-f]{2}|[\[\]^|\\\x00-\x1f\x7f]")
#: polars reads `*` and `?` as wildcards, which may match another lake too, and `=` as a partition value.
_WILDCARDS = re.compile(r"[*?=]")


def local_path(uri: str) -> str | None:
    """Return the path of a local folder; None for a URL elsewhere."""
    if uri.startswith("file://"):
        return unquote(uri.removeprefix("file://").removeprefix("localhost"))
    return None if "://" in uri else uri


def public_uri(location: str, table: str) -> str:
    """Return a table's address for display: `file://` for a local folder, else the URL without user and password."""
    path = local_path(location)
    if path is not None:
        return Path(os.path.realpath(path), table).as_uri()
    parts = urlsplit(location)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], f"{parts.path.rstrip('/')}/{table}", "", ""))


def is_unfilled(location: str) -> bool:
    """Return whether a lake in a local folder has no daily bars yet; a lake at a URL is not asked."""
    path = local_path(location)
    return path is not None and not Path(path, "daily_bars", "_delta_log").is_dir()


def check_location(location: str) -> None:
    """Raise an error for a folder that cannot hold a lake.

    Raises:
        LakeUnusable: Its name, or that of a folder above it, contains characters that delta-rs does not support.
    """
    path = local_path(location)
    refused = _REFUSED.search(os.path.realpath(path)) if path else None
    if refused:
        raise LakeUnusable(
            f"{location!r} cannot hold a lake: delta-rs, which stores the tables, does not support a folder name "
            f"with {refused.group()!r}. Set MYSTOCKS_LAKE to another folder, or rename this one."
        )


def has_wildcards(location: str) -> bool:
    """Return whether polars would misread the file names below this folder."""
    path = local_path(location)
    return path is not None and _WILDCARDS.search(os.path.realpath(path)) is not None
