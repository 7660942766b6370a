"""The title of a forked process, by which `ps` and `top` show what it is: a fork has the command line of its parent."""

import ctypes
from pathlib import Path

#: Positions in /proc/self/stat, counted after the name, of where the command line begins and ends in memory.
_ARGUMENTS = slice(45, 47)


def set_title(title: str) -> None:
    """Show `mystocks: TITLE` as the command line of this process; it is cut to the length of its parent's."""
    title = f"mystocks: {title}"
    process = Path("/proc/self")
    start, end = map(int, (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[_ARGUMENTS])
    if start < end:  # some sandboxes do not tell
        # The place behind it is the environment's, and the last byte must stay zero.
        ctypes.memmove(start, title.encode()[: end - start - 1].ljust(end - start, b"\0"), end - start)
    (process / "comm").write_text(title, encoding="utf-8")  # the system cuts it to 15 bytes
