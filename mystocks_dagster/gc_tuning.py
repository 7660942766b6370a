"""Tuning of the garbage collector: for programs that load many modules and end soon, and for servers."""

import atexit
import gc
import sys

#: New objects that trigger a collection, and collections that trigger one of older objects: saves a third of a short
#: run. Python's own (700, 10, 10) triggers hundreds while Dagster is imported.
_SHORT = (50_000, 20, 100)
_SERVER = (5_000, 10, 10)


def tune_gc() -> None:
    """Collect less often, and not at all when the program ends: the system then frees all memory."""
    gc.set_threshold(*_SHORT)
    atexit.register(_freeze)


def tune_server_gc() -> None:
    """Collect in time in a server, which was started by such a program or forked from it.

    With its numbers the daemon of a thousand tasks had a gigabyte of garbage after an hour.
    """
    gc.set_threshold(*_SERVER)


def _freeze() -> None:
    # DuckDB's binding checks for leaked objects when Python ends, and prints a page about each class.
    if "duckdb" not in sys.modules:
        gc.freeze()
