"""Tuning of the garbage collector for programs that load many modules and end soon: saves a third of a short run."""

import atexit
import gc
import sys

#: New objects that trigger a collection; Python's default of 700 triggers hundreds while Dagster is imported.
_NEW_OBJECTS = 50_000


def tune_gc() -> None:
    """Collect less often, and not at all when the program ends: the system then frees all memory."""
    gc.set_threshold(_NEW_OBJECTS, 20, 100)
    atexit.register(_freeze)


def _freeze() -> None:
    # DuckDB's binding checks for leaked objects when Python ends, and prints a page about each class.
    if "duckdb" not in sys.modules:
        gc.freeze()
