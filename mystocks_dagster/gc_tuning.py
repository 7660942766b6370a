"""Less work for Python's garbage collector in programs that load much, keep it, and end: a third of a short run's time."""

import atexit
import gc
import sys

#: New objects after which it looks for garbage; Python's own 700 makes it look hundreds of times while Dagster is
#: imported.
_NEW_OBJECTS = 50_000


def tune_gc() -> None:
    """Let the collector look less often, and not at all when the program ends: all memory is given back then anyway."""
    gc.set_threshold(_NEW_OBJECTS, 20, 100)
    atexit.register(_keep_all)


def _keep_all() -> None:
    # DuckDB's binding looks for objects that are left when Python has ended, and prints a page about each kind.
    if "duckdb" not in sys.modules:
        gc.freeze()
