"""Reading of files that a user names: a pipe, a device or a socket is refused with a sentence, and never waited for."""

import errno
import os
import stat
from pathlib import Path

#: What is said of each kind that is no file; it stands where the system's own words for an error do.
_KINDS = {stat.S_IFIFO: "it is a pipe", stat.S_IFSOCK: "it is a socket", stat.S_IFDIR: "it is a folder"}


def read_plain(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        OSError: It cannot be read, or is no file; `strerror` says which.
    """
    _refuse(path, path.stat().st_mode)  # a device must not even be opened: some act on it
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        _refuse(path, os.fstat(descriptor).st_mode)  # it may have been replaced between the two
        return file.read()


def read_plain_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with line breaks as Python writes them.

    Raises:
        OSError: It cannot be read, or is no file; `strerror` says which.
        UnicodeDecodeError: It is not UTF-8.
    """
    return read_plain(path).decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


def real_path(path: Path) -> Path:
    """Return the absolute path without links; of a link that leads to itself, the path of that link.

    `Path.resolve` raises RuntimeError for such a link, which no caller expects; who opens the file then says why not.
    """
    return Path(os.path.realpath(path))


def _refuse(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, _KINDS.get(stat.S_IFMT(mode), "it is a device"), str(path))
