"""The imported modules of users' packages, so that a long-lived process notices changed files."""

import sys
import threading
from pathlib import Path

_State = tuple[int, int]
_lock = threading.Lock()
#: Module to its file and the state of that file at import.
_noted: dict[str, tuple[str, _State | None]] = {}


def note(module: str) -> None:
    """Store the state of a module's file, and of the other files of its top-level package."""
    top = module.partition(".")[0]
    with _lock:
        # A copy is made at once; `list` makes an item at a time, while another thread may import.
        for name, imported in sys.modules.copy().items():
            if name.partition(".")[0] == top and name not in _noted and (file := getattr(imported, "__file__", None)):
                _noted[name] = (file, _state(file))


def forget_changed() -> bool:
    """Remove users' packages with changed files from `sys.modules`; return whether there were any.

    The next import reads them again; existing references to old functions stay valid.
    """
    with _lock:
        tops = {name.partition(".")[0] for name, (file, state) in _noted.items() if _state(file) != state}
        if not tops:
            return False
        for name in [name for name in sys.modules.copy() if name.partition(".")[0] in tops]:
            del sys.modules[name]
        for name in [name for name in _noted if name.partition(".")[0] in tops]:
            del _noted[name]
        return True


def _state(file: str) -> _State | None:
    try:
        status = Path(file).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
