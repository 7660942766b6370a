"""Paths in a backup: whether one stays below its place, and whether a link lies on the way to it."""

import re
from pathlib import Path

#: The first folders of a backup, and the fewest parts of a path in each: a file of the lake is in a table's folder.
_FEWEST_PARTS = {"project": 2, "tasks": 2, "instance": 2, "postgres": 2, "lake": 3}
#: Largest sizes in bytes of a path and of one name in it.
_PATH_BYTES, _NAME_BYTES = 2000, 255
#: A path that is absolute on Windows begins with it; anywhere in a path, it changes the folder there.
_DRIVE = re.compile(r"[A-Za-z]:")


def stays_below(path: str) -> bool:
    r"""Return whether a path of a backup names a file below one of the backup's first folders, on every system.

    Examples:
        >>> stays_below("project/formulas/up.txt")
        True
        >>> stays_below("project/../../up.txt"), stays_below("project//etc/up.txt"), stays_below("project/C:\\up.txt")
        (False, False, False)
    """
    parts = path.split("/")
    enough = len(parts) >= _FEWEST_PARTS.get(parts[0], len(parts) + 1)
    return enough and _size(path) <= _PATH_BYTES and all(map(_is_name, re.split(r"[/\\]", path)))


def link_on_the_way(base: Path, path: str) -> Path | None:
    """Return the first symbolic link below a folder on the way to a file, or the file if it is one; else None."""
    here = base
    for part in path.split("/"):
        here /= part
        if here.is_symlink():
            return here
    return None


def _is_name(part: str) -> bool:
    return part not in ("", ".", "..") and "\0" not in part and _size(part) <= _NAME_BYTES and not _DRIVE.match(part)


def _size(text: str) -> int:
    """Return the size in bytes; more than any path has for what is no UTF-8."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return _PATH_BYTES + 1
