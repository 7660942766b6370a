"""The database file of a run's events, copied from an empty one instead of created.

With SQLite, each run has a file of its own. To create one, Dagster writes each table and each index to the disk one
after the other, which takes as long as all the rest of queueing a run.
"""

import contextlib
import os
import tempfile
from functools import cache
from pathlib import Path

import dagster as dg

from mystocks_dagster.dagster_internals import SqliteEventLogStorage


def prepare(instance: dg.DagsterInstance, run_id: str) -> None:
    """Make the file of a run's events, if each run has its own and this one has none yet."""
    storage = instance.event_log_storage
    if type(storage) is not SqliteEventLogStorage:
        return
    path = Path(storage.path_for_shard(run_id))
    if path.exists():
        return
    scratch = path.with_name(f"{run_id}.{os.getpid()}.new")
    try:
        scratch.write_bytes(_empty())
        with contextlib.suppress(FileExistsError):  # another process has just opened it
            os.link(scratch, path)
    except OSError:  # a full disk, or one without links: Dagster creates the file, or tells what is wrong
        pass
    finally:
        scratch.unlink(missing_ok=True)


@cache
def _empty() -> bytes:
    """Return a file of events as Dagster creates it."""
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteEventLogStorage(folder)
        with storage.run_connection("empty"):
            pass
        storage.dispose()
        return Path(storage.path_for_shard("empty")).read_bytes()
