"""Which modules of users' packages this process has imported, so that a long-lived one notices that they were changed."""

import sys
import threading
from pathlib import Path

_State = tuple[int, int]
_lock = threading.Lock()
#: Module to its file and what that was when the module was imported.
_noted: dict[str, tuple[str, _State | None]] = {}


def note(module: str) -> None:
    """Remember the state of a module's file, and of all that stands in the same top package."""
    top = module.partition(".")[0]
    with _lock:
        for name, found in list(sys.modules.items()):
            if name.partition(".")[0] == top and name not in _noted and (file := getattr(found, "__file__", None)):
                _noted[name] = (file, _state(file))


def forget_changed() -> bool:
    """Drop from this process every user's package of which a file was changed since it was imported; say whether any was.

    The next import reads it anew; what holds a function of the old one keeps that.
    """
    with _lock:
        tops = {name.partition(".")[0] for name, (file, state) in _noted.items() if _state(file) != state}
        if not tops:
            return False
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
        for name in [name for name in _noted if name.partition(".")[0] in tops]:
            del _noted[name]
        return True


def _state(file: str) -> _State | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
