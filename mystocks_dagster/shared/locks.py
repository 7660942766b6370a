"""Locks of a Postgres database by name: held by a connection, so they end with the process that has it, or its machine.

No clock is asked, so machines whose clocks differ agree. A lock needs a connection of its own: a pooler that gives one
connection to several clients in turn (PgBouncer in its transaction mode) loses it.
"""

import contextlib
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.shared import outage
from mystocks_dagster.shared.place import database_url

#: Seconds between two tries to take a lock that another process has.
_POLL_SECONDS = 0.05
#: The server finds a machine without power within a minute; its default is two hours.
_KEEP_ALIVE = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
_CONNECT_SECONDS = 10
_CHECK_SECONDS = 2
#: Postgres cuts a longer name of a connection.
LONGEST_LABEL = 63
#: Projects may share a database in schemas of their own.
_KEY = "hashtextextended(current_schema() || %s, 0)"
_HELD = f"""SELECT wanted.name, activity.application_name,
      extract(epoch FROM clock_timestamp() - activity.state_change)::float
    FROM unnest(%s) AS wanted(name)
    JOIN pg_locks AS held ON held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (held.classid::bigint << 32 | held.objid::bigint) = {_KEY.replace("%s", "wanted.name")}
    JOIN pg_stat_activity AS activity ON activity.pid = held.pid
    ORDER BY activity.backend_start"""


class Lock:
    """One lock, which this process may hold over a connection of its own."""

    def __init__(self, url: str, name: str, label: str, *, shared: bool = False) -> None:
        """Describe the lock; it is not taken yet.

        Args:
            url: The database, see `place.database_url`.
            name: Its name, the same on all machines.
            label: What the holder is called in messages, and in pg_stat_activity.
            shared: Whether several may hold it at once.
        """
        self._url, self._name, self._label = url, name, label[:LONGEST_LABEL]
        self._function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
        self._connection: Any = None

    def take(self, patience: float = 0) -> bool:
        """Take the lock; return False if another process keeps it for longer than `patience` seconds.

        Raises:
            InstanceError: The database does not answer.
        """
        deadline = time.monotonic() + patience
        while not self._try():
            if time.monotonic() >= deadline:
                self.release()
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def keep(self) -> bool:
        """Return whether the lock is still held; after an outage of the database it is taken again, if it is free.

        Raises:
            InstanceError: The database does not answer.
        """
        if self._connection is not None:
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return True
            except psycopg2.Error:
                self.release()
        return self.take()

    def release(self) -> None:
        """Give the lock back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg2.Error), contextlib.closing(connection), connection.cursor() as cursor:
                # The server notices a closed connection some time later.
                cursor.execute("SELECT pg_advisory_unlock_all()")

    def _try(self) -> bool:
        try:
            if self._connection is None:
                self._connection = connect(self._url, self._label)
            with self._connection.cursor() as cursor:
                cursor.execute(f"SELECT {self._function}({_KEY})", (self._name,))
                return cursor.fetchone()[0]
        except psycopg2.Error as error:
            self.release()
            raise unreachable(error) from error


class Holders:
    """Who holds which locks of a database, asked over one connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    def of(self, names: Collection[str]) -> dict[str, list[str]]:
        """Return the labels of the holders of each lock that is held, the oldest first.

        Raises:
            InstanceError: The database does not answer.
        """
        held: dict[str, list[str]] = {}
        for name, label, _ in self._ask(names):
            held.setdefault(name, []).append(label)
        return held

    def silences(self, name: str) -> list[tuple[str, float]]:
        """Return each holder of a lock, the oldest first, with the seconds since it last asked the database.

        A holder whose process or machine stands still keeps its connection, and with it the lock.

        Raises:
            InstanceError: The database does not answer.
        """
        return [(label, seconds or 0.0) for _, label, seconds in self._ask([name])]

    def _ask(self, names: Collection[str]) -> list[tuple[str, str, float | None]]:
        for attempt in ("old connection", "new connection"):
            try:
                if self._connection is None:
                    self._connection = connect(self._url, "mystocks looks at locks")
                with self._connection.cursor() as cursor:
                    cursor.execute(_HELD, (list(names),))
                    return cursor.fetchall()
            except psycopg2.Error as error:
                self._connection = None  # the database was restarted since the last question
                if attempt == "new connection":
                    raise unreachable(error) from error
        return []


def connect(url: str, label: str) -> Any:
    """Open a connection on which each statement is a transaction of its own."""
    connection = psycopg2.connect(url, application_name=label, connect_timeout=_CONNECT_SECONDS)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_ALIVE)
    return connection


def ask(url: str, sql: str, label: str, seconds: int = _CONNECT_SECONDS) -> Any:
    """Return the first value that a query of the database gives, over a connection of its own; None without a row.

    Args:
        url: The database, see `place.database_url`.
        sql: The query.
        label: What the connection is called in pg_stat_activity.
        seconds: How long to wait for the connection.

    Raises:
        InstanceError: The database does not answer.
    """
    try:
        connection = psycopg2.connect(url, application_name=label, connect_timeout=seconds)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone()
    except psycopg2.Error as error:
        raise unreachable(error) from error
    return row[0] if row else None


def check(home: Path) -> None:
    """Check that the database of an instance answers, within some seconds; one on this machine's disk always does.

    Args:
        home: The instance's folder.

    Raises:
        NoDatabase: It does not answer. Dagster's own storages find that out only after many tries.
    """
    if url := database_url(home):
        ask(url, "SELECT 1", "mystocks looks for the database", _CHECK_SECONDS)


def where(home: Path) -> str | None:
    """Return host, port and name of the database of an instance, without user and password; None without one."""
    if not (url := database_url(home)):
        return None
    parts = parse_dsn(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', parts.get('user', ''))}"


def unreachable(error: psycopg2.Error) -> InstanceError:
    """Return the error for a database that does not answer; it names no password."""
    return outage.unanswered(error)
