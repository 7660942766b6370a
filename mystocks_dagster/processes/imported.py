"""The files of all modules that this process has imported: forks of it must not run code that was replaced since."""

import os
import sys
from array import array
from collections.abc import Iterable, Iterator
from functools import cache


class ImportedFiles:
    """The files as they are now.

    They are kept as two long values: a fork that looks at thousands of objects would copy the memory of each.
    """

    def __init__(self) -> None:
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        self._paths = "\n".join(path for path in files if path)
        self._states = array("q", _states(self._paths.split("\n")))

    @classmethod
    def now(cls) -> "ImportedFiles":
        """Return them; a fork that has imported nothing more than its parent has does not look at them again."""
        return _files(len(sys.modules))

    def changed(self) -> bool:
        """Return whether any of them was replaced or edited."""
        return self._states != array("q", _states(self._paths.split("\n")))


@cache
def _files(_modules: int) -> ImportedFiles:
    return ImportedFiles()


def _states(paths: Iterable[str]) -> Iterator[int]:
    """Yield what changes when a file is replaced or edited."""
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116 - two thousand of them at each fork
        except OSError:
            yield from (0, 0)
        else:
            yield from (status.st_mtime_ns, status.st_ino)
