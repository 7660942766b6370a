"""A lock for one daemon per Postgres database, which several folders and machines may share.

The lock file of a folder does not cover those.
"""

import logging
import os
import platform
import signal
import sys
import threading
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.history.dagster_storage import run_storage
from mystocks_dagster.shared import locks
from mystocks_dagster.shared.place import database_url

#: Seconds between two checks of the connection: a restarted database has lost the lock.
_INTERVAL = 15.0
_log = logging.getLogger("mystocks.daemon")
_KEY = "hashtext('mystocks daemon'), hashtext(current_schema())"
_CLAIM = f"SELECT pg_try_advisory_lock({_KEY})"
_HOLDER = """SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = (hashtext('mystocks daemon')::bigint & 4294967295)::oid
    AND objid = (hashtext(current_schema())::bigint & 4294967295)::oid"""
# Finds a machine without power within a minute; the default is two hours.
_KEEP_ALIVE = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"


class DatabaseLock:
    """The lock of this process's daemon, held by its own connection."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._engine = db.create_engine(
            run_storage(instance).postgres_url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"application_name": _label(str(os.getpid()))},
        )
        self._connection = self._claim()

    def _claim(self) -> db.Connection:
        """Return a connection that holds the lock.

        Raises:
            InstanceError: Another daemon holds it.
        """
        connection = self._engine.connect()
        connection.execute(db.text(_KEEP_ALIVE))
        if not connection.execute(db.text(_CLAIM)).scalar_one():
            holder = connection.execute(db.text(_HOLDER)).scalar() or "it has just ended"
            connection.close()
            raise InstanceError(f"A daemon runs already on this database: {holder}. Stop it first.")
        return connection

    def watch(self) -> None:
        """Keep the lock until the process ends; end the process if another daemon has it after a database outage."""
        while True:
            threading.Event().wait(_INTERVAL)
            try:
                self._check()
            except InstanceError as error:
                sys.stderr.write(f"{error} This daemon ends.\n")
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _check(self) -> None:
        try:
            self._connection.execute(db.text("SELECT 1"))
        except SQLAlchemyError:
            self._connection.invalidate()
            try:
                self._connection = self._claim()
            except SQLAlchemyError as error:
                _log.warning(
                    "the database that holds the daemon's lock does not answer: %s", str(error).splitlines()[0]
                )


def holder(home: Path) -> str | None:
    """Return the process and machine of the daemon on the database of an instance; None if none runs on it.

    None too if the instance's storage is not Postgres.

    Args:
        home: The instance's folder.

    Raises:
        InstanceError: The database does not answer.
    """
    url = database_url(home)
    return locks.ask(url, _HOLDER, "mystocks looks for a daemon") if url else None


def elsewhere(home: Path) -> str | None:
    """Return the process and machine of the daemon that runs on another machine; None if none does.

    Args:
        home: The instance's folder.

    Raises:
        InstanceError: The database does not answer.
    """
    match (found := holder(home) or "").split():
        case ["mystocks", "daemon", pid, "on", *_] if found != _label(pid):
            return found
    return None


def _label(pid: str) -> str:
    return f"mystocks daemon {pid} on {platform.node()}"[: locks.LONGEST_LABEL]


def claim(instance: dg.DagsterInstance) -> None:
    """Hold the lock until this process ends; do nothing if the instance's storage is not Postgres.

    Raises:
        InstanceError: Another daemon runs on the database; the message names its process and machine.
    """
    with run_storage(instance).connect() as connection:
        if connection.dialect.name != "postgresql":
            return
    lock = DatabaseLock(instance)
    threading.Thread(target=lock.watch, name="mystocks-database-lock", daemon=True).start()
