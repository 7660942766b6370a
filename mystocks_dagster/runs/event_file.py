"""The database file of a run's events, copied from an empty one instead of created.

With SQLite, each run has a file of its own. To create one, Dagster writes each table and each index to the disk one
after the other, which takes as long as all the rest of queueing a run.
"""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import SqliteEventLogStorage

#: Files that wait for the disk at once: it writes them together.
_AT_ONCE = 16
#: Places of the header that name the form of the journal, and the values of one that a database in memory can have.
_JOURNAL, _IN_MEMORY = slice(18, 20), b"\x01\x01"


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


def write(storage: SqliteEventLogStorage, first: Mapping[str, Any]) -> None:
    """Write the files of new runs, each with its first event, and wait until all are on the disk.

    Args:
        storage: Dagster's storage of events.
        first: For each run, the statement that inserts its first event.

    Raises:
        OSError: A file cannot be written.
    """
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        paths = (Path(storage.path_for_shard(run_id)) for run_id in first)
        for _ in threads.map(_write, paths, map(_with_event, first.values())):
            pass


def remove(storage: SqliteEventLogStorage, run_ids: Iterable[str]) -> None:
    """Remove the files of runs that could not be stored."""
    for run_id in run_ids:
        Path(storage.path_for_shard(run_id)).unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _with_event(insertion: Any) -> bytes:
    """Return a file of events with one event."""
    with _memory().connect() as connection:
        database: Any = connection.connection.dbapi_connection
        empty = bytearray(_empty())
        journal, empty[_JOURNAL] = empty[_JOURNAL], _IN_MEMORY
        database.deserialize(bytes(empty))
        connection.execute(insertion)
        connection.commit()
        content = bytearray(database.serialize())
        content[_JOURNAL] = journal
        return bytes(content)


@cache
def _memory() -> Any:
    from sqlalchemy import NullPool, create_engine

    return create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:"), poolclass=NullPool)


@cache
def _empty() -> bytes:
    """Return a file of events as Dagster creates it."""
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteEventLogStorage(folder)
        with storage.run_connection("empty"):
            pass
        storage.dispose()
        return Path(storage.path_for_shard("empty")).read_bytes()
