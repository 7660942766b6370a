"""Dagster's databases, read by plain SQL: looking back needs no Dagster, whose import takes longer than all the rest.

The light readers know the two forms of dagster.yaml that ours has, SQLite in a folder and Postgres by its URL. Over
every other form Dagster opens its storage itself, and `InstanceTables` reads through that. What Dagster keeps as JSON
is read as JSON (see `history/dagster_json.py`).
"""

import hashlib
import sqlite3
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mystocks_dagster import disk_errors, storage_config
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.shared import outage

#: Dagster keeps three databases; on Postgres the three are one.
Database = Literal["runs", "events", "schedules"]
#: Dagster replaces a longer name of a file by its hash.
_LONGEST_NAME = 255
_TIMEOUT_SECONDS = 30
_KEEP = "INSERT INTO kvs (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class DagsterTables(ABC):
    """The tables of one Dagster instance, for reading."""

    @abstractmethod
    def rows(self, database: Database, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; each `?` in it stands for a value."""

    @abstractmethod
    def log_path(self, run_id: str, log_key: str) -> str | None:
        """Return the file of a step's captured stdout; None where it is not a file on this machine."""

    @abstractmethod
    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key of the run storage's key-value table, in place of a former one."""

    def events(self, run_ids: Iterable[str], types: Sequence[str]) -> dict[str, list[str]]:
        """Return the events of those types by run id, as JSON, in the order in which they were stored."""
        names, found = list(run_ids), defaultdict[str, list[str]](list)
        if names:
            query = (
                f"SELECT run_id, event FROM event_logs WHERE run_id IN ({marks(names)}) "
                f"AND dagster_event_type IN ({marks(types)}) ORDER BY id"
            )
            for run_id, text in self.rows("events", query, [*names, *types]):
                found[run_id].append(text)
        return found

    def note(self, key: str) -> str | None:
        """Return what is kept under that key of the run storage's key-value table."""
        rows = self.rows("runs", "SELECT value FROM kvs WHERE kvs.key = ?", [key])
        return rows[0][0] if rows else None


def marks(values: Sequence[Any]) -> str:
    """Return a placeholder for each value, for `IN (...)`."""
    return ",".join("?" * len(values))


class SqliteTables(DagsterTables):
    """Databases of SQLite in a folder; each run's events are a file of their own."""

    def __init__(self, base: Path, logs: Path) -> None:
        self._base, self._logs = base, logs
        self._files = {"runs": base / "history" / "runs.db", "schedules": base / "schedules" / "schedules.db"}

    def complete(self) -> bool:
        """Return whether the databases are there: Dagster makes them when it opens the instance first."""
        return all(_has_tables(path) for path in self._files.values())

    def rows(self, database: Database, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        path = self._files[database]
        try:
            with closing(_connect(path)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise disk_errors.explain(error, path.parent) or InstanceError(
                f"{path}: Dagster's database cannot be read ({error}). Try again; if it stays so, check the disk."
            ) from error

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        path = self._files["runs"]
        try:
            with closing(_connect(path)) as connection, connection:
                connection.execute(_KEEP, [key, value])
        except sqlite3.Error as error:
            raise disk_errors.explain(error, path.parent) or InstanceError(
                f"{path}: Dagster's database cannot be written ({error}). Try again; if it stays so, check the disk."
            ) from error

    def events(self, run_ids: Iterable[str], types: Sequence[str]) -> dict[str, list[str]]:
        """Return the events by run id."""
        return {run_id: shard_events(self._base / "history" / "runs" / f"{run_id}.db", types) for run_id in run_ids}

    def log_path(self, run_id: str, log_key: str) -> str | None:
        """Return the file of a step's captured stdout."""
        return _log_path(self._logs, run_id, log_key)


class PostgresTables(DagsterTables):
    """All in one database of Postgres, over one connection that is opened when first needed."""

    def __init__(self, url: str, logs: Path) -> None:
        self._url, self._logs, self._connection = url, logs, None

    def complete(self) -> bool:
        """Return whether Dagster's tables are there.

        Raises:
            NoDatabase: The server does not answer.
        """
        wanted = (
            "SELECT count(*) FROM information_schema.tables WHERE table_name IN ('runs', 'event_logs', 'instigators')"
        )
        return self.rows("runs", wanted)[0][0] >= 3

    def rows(self, database: Database, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        import psycopg2

        try:
            with self._open().cursor() as cursor:
                cursor.execute(sql.replace("?", "%s"), tuple(values))
                return cursor.fetchall()
        except psycopg2.Error as error:
            raise InstanceError(f"Dagster's database cannot be read: {error}") from error

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        import psycopg2

        try:
            with self._open().cursor() as cursor:
                cursor.execute(_KEEP.replace("?", "%s"), (key, value))
        except psycopg2.Error as error:
            raise InstanceError(f"Dagster's database cannot be written: {error}") from error

    def log_path(self, run_id: str, log_key: str) -> str | None:
        """Return the file of a step's captured stdout."""
        return _log_path(self._logs, run_id, log_key)

    def _open(self) -> Any:
        if self._connection is None:
            import psycopg2

            try:
                connection: Any = psycopg2.connect(self._url)
            except psycopg2.OperationalError as error:
                raise outage.unanswered(error) from error
            connection.autocommit = True
            self._connection = connection
        return self._connection


class InstanceTables(DagsterTables):
    """The tables of an instance that Dagster has opened, whatever its storage is."""

    def __init__(self, instance: Any) -> None:
        self._instance = instance

    def rows(self, database: Database, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        match database:
            case "runs":
                opened = self._instance.run_storage.connect()
            case "events":
                opened = self._instance.event_log_storage.index_connection()
            case "schedules":
                opened = self._instance.schedule_storage.connect()
        with opened as connection:
            if connection.dialect.paramstyle != "qmark":
                sql = sql.replace("?", "%s")
            return [tuple(row) for row in connection.exec_driver_sql(sql, tuple(values))]

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        self._instance.run_storage.set_cursor_values({key: value})

    def events(self, run_ids: Iterable[str], types: Sequence[str]) -> dict[str, list[str]]:
        """Return the events by run id."""
        storage = self._instance.event_log_storage
        if storage.is_run_sharded:
            return {run_id: shard_events(Path(storage.path_for_shard(run_id)), types) for run_id in run_ids}
        return super().events(run_ids, types)

    def log_path(self, run_id: str, log_key: str) -> str | None:
        """Return the file of a step's captured stdout."""
        manager = self._instance.compute_log_manager
        if not hasattr(manager, "get_captured_local_path"):
            return None
        return str(Path(manager.get_captured_local_path([run_id, "compute_logs", log_key], "out")))


class _Config(NamedTuple):
    """What a light reader needs of dagster.yaml."""

    logs: Path
    sqlite: Path | None = None
    postgres: str | None = None


def light_tables(config: Any) -> DagsterTables | None:
    """Return a light reader of what a dagster.yaml names; None where Dagster has to open it.

    Args:
        config: The file's content, with absolute paths.

    Raises:
        NoDatabase: Its Postgres server does not answer.
    """
    known = _understood(config)
    if known is None:
        return None
    light = SqliteTables(known.sqlite, known.logs) if known.sqlite else PostgresTables(known.postgres or "", known.logs)
    return light if light.complete() else None


def _understood(config: Any) -> _Config | None:
    logs = storage_config.output_folder(config)
    if logs is None:
        return None
    if folder := storage_config.sqlite_folder(config):
        return _Config(logs, sqlite=folder)
    url = storage_config.postgres_url(config)
    return _Config(logs, postgres=url) if url else None


def _has_tables(path: Path) -> bool:
    with suppress(sqlite3.Error), closing(_connect(path)) as connection:
        return connection.execute("SELECT 1 FROM alembic_version").fetchone() is not None
    return False


def _connect(path: Path) -> sqlite3.Connection:
    # Not read-only: a database in WAL mode needs its files beside it also to be read.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_TIMEOUT_SECONDS)


def shard_events(path: Path, types: Sequence[str]) -> list[str]:
    """Return the events of those types in the file of one run, as JSON.

    Raises:
        InstanceError: The file cannot be read.
    """
    try:
        with closing(_connect(path)) as connection:
            query = f"SELECT event FROM event_logs WHERE dagster_event_type IN ({marks(types)}) ORDER BY id"
            return [text for (text,) in connection.execute(query, types)]
    except sqlite3.OperationalError as error:
        # The run was just made, or has just been removed.
        if "unable to open" in str(error) or "no such table" in str(error):
            return []
        raise InstanceError(
            f"{path}: the run's events cannot be read ({error}). Try again; if it stays so, check the disk."
        ) from error
    except sqlite3.DatabaseError as error:
        raise InstanceError(
            f"{path}: the file of one run's events is damaged ({error}). Restore it from a backup, or move it away: "
            "then only this run is missing from the history."
        ) from error


def _log_path(logs: Path, run_id: str, log_key: str) -> str:
    name = f"{log_key}.out"
    if len(name) > _LONGEST_NAME:
        name = f"{hashlib.md5(log_key.encode(), usedforsecurity=False).hexdigest()}.out"
    return str(real_path(logs) / run_id / "compute_logs" / name)


def utc(value: Any) -> datetime:
    """Return a time of a table as Dagster reads it, in UTC: SQLite has text, Postgres a time without zone."""
    naive = datetime.fromisoformat(value) if isinstance(value, str) else value
    return naive.replace(tzinfo=UTC)
