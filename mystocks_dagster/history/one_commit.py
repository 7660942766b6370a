"""Fewer waits for the disk: many writes to one of Dagster's SQLite storages are one commit.

Dagster commits each of its writes, and each commit waits for the disk. On Postgres there is nothing to be gained: its
storages keep their connections, and a commit there is one message.
"""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import dagster as dg
import sqlalchemy as db
from sqlalchemy.engine import Connection

from mystocks_dagster.dagster_internals import SqliteEventLogStorage, SqliteRunStorage, SqliteScheduleStorage
from mystocks_dagster.history.dagster_storage import event_storage, run_storage, schedule_storage
from mystocks_dagster.sqlite_engines import PATIENCE_SECONDS

#: The method of a storage that opens a connection to the database.
_CONNECT = {SqliteRunStorage: "connect", SqliteScheduleStorage: "connect", SqliteEventLogStorage: "index_connection"}
#: Questions to a storage about its tables, which a process asks once: tables do not lose columns while it runs.
_FACTS = ("has_instigators_table", "has_backfill_id_column")


def is_sqlite(instance: dg.DagsterInstance) -> bool:
    """Return whether all storages of an instance are Dagster's for SQLite."""
    return all(type(storage(instance)) in _CONNECT for storage in (run_storage, schedule_storage, event_storage))


@contextmanager
def keep_open(instance: dg.DagsterInstance) -> Generator[None]:
    """Keep a connection to each database of an instance with SQLite open; do nothing for another one.

    Dagster closes its connection after each statement. When nobody else has one, SQLite then moves the journal into the
    database and deletes it, and waits for the disk three times.
    """
    storages = (run_storage(instance), schedule_storage(instance), event_storage(instance))
    with ExitStack() as stack:
        for storage in storages if is_sqlite(instance) else ():
            database = sqlite3.connect(_url(storage).database or "", check_same_thread=False)
            stack.enter_context(closing(database))
            database.execute("SELECT count(*) FROM sqlite_master").fetchall()
        yield


@contextmanager
def one_commit(storage: Any) -> Generator[Connection]:
    """Commit all writes of this thread to a SQLite storage at the end of the block, and none if the block fails.

    Other writers wait from the first write on, so a block must be short. Of the storage of events, it covers the index
    of all runs, not the runs' own files.

    Yields:
        The open connection.
    """
    connect, thread = _CONNECT[type(storage)], threading.get_ident()
    _keep_facts(storage)
    # The storage of events holds a lock while it is connected, which a run's own file needs too.
    with _engine(storage).connect() as connection:
        usual = getattr(storage, connect)

        @contextmanager
        def shared() -> Generator[Connection]:
            if threading.get_ident() == thread:
                yield connection
            else:
                with usual() as other:
                    yield other

        connection.exec_driver_sql(f"PRAGMA busy_timeout = {PATIENCE_SECONDS * 1000}")
        setattr(storage, connect, shared)
        try:
            yield connection
            connection.commit()
        finally:
            delattr(storage, connect)


def _engine(storage: Any) -> db.Engine:
    """Return the engine of a storage, which keeps the SQL that it has compiled."""
    if not hasattr(storage, "_one_commit_engine"):
        storage._one_commit_engine = db.create_engine(_url(storage), poolclass=db.NullPool)
    return storage._one_commit_engine


def _url(storage: Any) -> db.URL:
    """Return the address of a storage's database."""
    is_events = type(storage) is SqliteEventLogStorage
    return db.make_url(storage.conn_string_for_shard("index") if is_events else storage._conn_string)


def _keep_facts(storage: Any) -> None:
    for name in _FACTS:
        if hasattr(type(storage), name) and name not in vars(storage) and getattr(storage, name)():
            setattr(storage, name, lambda: True)
