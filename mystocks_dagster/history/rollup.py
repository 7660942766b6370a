"""The roll-up: one row per execution in an SQLite file, so that queries need not read the events of all runs.

It has no data of its own: if removed, it is filled again from Dagster's storage (see `catch_up.py`).
"""

import json
import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from mystocks_dagster import disk_errors
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.history.aggregates import ALWAYS, TaskAggregate, TimeWindow
from mystocks_dagster.history.record import Record
from mystocks_dagster.tags import OUTCOMES, SUCCESSES, State
from mystocks_dagster.taskfile.names import dagster_name

#: The file, in the instance's folder.
FILE = "history.db"
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE runs (run_id TEXT PRIMARY KEY, status TEXT, updated TEXT, settled INTEGER) WITHOUT ROWID;
CREATE TABLE executions (
  created REAL, run_id TEXT, position INTEGER, step TEXT, job TEXT, name TEXT, task TEXT, status TEXT,
  start REAL, end REAL, timed REAL, retries INTEGER,
  params TEXT, result TEXT, error TEXT, log_key TEXT, removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE chunks (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX of_run ON executions (run_id);
CREATE INDEX newest ON executions (removed, created, run_id, position);
CREATE INDEX newest_of_task ON executions (name, created, run_id, position);
CREATE INDEX newest_of_job ON executions (job, created, run_id, position);
CREATE INDEX tally ON executions (name, start, status, timed);
CREATE INDEX durations ON executions (name, timed, start) WHERE timed IS NOT NULL;
CREATE INDEX unsettled ON runs (settled) WHERE settled = 0;
"""
_NEWEST_FIRST = "ORDER BY created DESC, run_id DESC, position DESC"
_COLUMNS = "run_id, step, job, task, status, start, end, retries, params, result, error, log_key"


class RunRow(NamedTuple):
    """One run with its executions; `settled` if it will not change any more."""

    run_id: str
    created: float
    status: str
    updated: str
    settled: bool
    executions: Sequence[Record]


class Rollup:
    """The open file, safe for concurrent processes. A damaged file, or one of another version, is emptied.

    Args:
        path: The file.
        discard: Empty the file first.

    Raises:
        InstanceError: The file cannot be opened.
    """

    def __init__(self, path: Path, *, discard: bool = False) -> None:
        self._path = path
        try:
            self._connection = self._open(discard)
        except sqlite3.OperationalError as error:
            if known := disk_errors.explain(error, path.parent):
                raise known from None
            raise InstanceError(
                f"{path}: the roll-up of the history cannot be opened ({error}). Check the folder's permissions."
            ) from None
        except sqlite3.DatabaseError:
            for ending in ("", "-wal", "-shm"):
                path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
            self._connection = self._open(discard)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _open(self, discard: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if discard or _version(connection) != _SCHEMA_VERSION:
                _make(connection, discard)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit all writes of the block together, or none on an error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def freeze(self) -> None:
        """Read a snapshot of the current content until the file is closed, whatever other processes write."""
        self._connection.execute("BEGIN")
        self.count_runs()

    def note(self, name: str) -> str | None:
        """Return a stored note by its name."""
        row = self._connection.execute("SELECT value FROM notes WHERE name = ?", [name]).fetchone()
        return row[0] if row else None

    def set_note(self, name: str, value: str) -> None:
        """Store a note."""
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", [name, value])

    def known(self, run_ids: Sequence[str] | None = None) -> dict[str, tuple[str, str]]:
        """Return the stored status and time of the last change of some runs, or of all that are not removed."""
        where, values = "", []
        if run_ids is not None:
            where, values = "WHERE run_id IN (SELECT value FROM json_each(?))", [json.dumps(run_ids)]
        rows = self._connection.execute(f"SELECT run_id, status, updated FROM runs {where}", values)
        return {run_id: (status, updated) for run_id, status, updated in rows}

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query over its tables."""
        return self._connection.execute(query, values).fetchall()

    def unsettled(self) -> list[str]:
        """Return the runs that may still change."""
        return [run_id for (run_id,) in self._connection.execute("SELECT run_id FROM runs WHERE settled = 0")]

    def count_runs(self) -> int:
        """Return the number of runs that are not removed."""
        return self._connection.execute("SELECT count(*) FROM runs").fetchone()[0]

    def write(self, runs: Iterable[RunRow]) -> None:
        """Insert or replace runs; the executions of archived runs stay as they are."""
        for run in runs:
            self._connection.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", [run.run_id, run.status, run.updated, run.settled]
            )
            if not self._archived(run.run_id):
                self._connection.execute("DELETE FROM executions WHERE run_id = ?", [run.run_id])
                self._insert(_row(run.created, position, record) for position, record in enumerate(run.executions))

    def forget(self, run_ids: Iterable[str]) -> None:
        """Delete runs that were deleted without being archived."""
        for run_id in run_ids:
            self._connection.execute("DELETE FROM executions WHERE run_id = ? AND removed = 0", [run_id])
            self._connection.execute("DELETE FROM runs WHERE run_id = ?", [run_id])

    def chunks(self) -> set[str]:
        """Return the keys of the inserted chunks of the archive."""
        return {key for (key,) in self._connection.execute("SELECT key FROM chunks")}

    def write_removed(self, key: str, runs: Mapping[str, tuple[float, Sequence[Record]]]) -> None:
        """Insert a chunk of the archive: removed runs by id, each with its creation time and executions."""
        for run_id, (created, records) in runs.items():
            if not self._archived(run_id):
                self._connection.execute("DELETE FROM executions WHERE run_id = ?", [run_id])
                rows = (_row(created, position, record) for position, record in enumerate(records))
                self._insert((*row[:-1], 1) for row in rows)
        self._connection.execute("INSERT OR REPLACE INTO chunks VALUES (?)", [key])

    def _archived(self, run_id: str) -> bool:
        query = "SELECT 1 FROM executions WHERE run_id = ? AND removed = 1"
        return self._connection.execute(query, [run_id]).fetchone() is not None

    def _insert(self, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(f"INSERT INTO executions VALUES ({','.join('?' * 17)})", rows)

    def executions(
        self,
        task_id: str | None = None,
        window: TimeWindow = ALWAYS,
        *,
        job: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Yield executions of runs that are not removed, newest first; of one task, of one job, or all."""
        conditions: list[tuple[str, Any]] = [("removed = ?", 0), *window.conditions()]
        if task_id is not None or job is not None:
            by_name = ("name = ?", dagster_name(task_id)) if task_id is not None else ("job = ?", job)
            # The plus keeps the query planner from using the index of all executions.
            conditions = [by_name, ("+removed = ?", 0), *window.conditions()]
        if status is not None:
            conditions.append(("status = ?", status))
        query = f"SELECT {_COLUMNS} FROM executions {_where(conditions)} {_NEWEST_FIRST} LIMIT ?"
        for row in self._connection.execute(query, [*_values(conditions), -1 if limit is None else limit]):
            yield _record(row)

    def of_runs(self, run_ids: Sequence[str]) -> dict[str, tuple[float, list[Record]]]:
        """Return, by id, the creation time and the executions in order of the runs that are not removed."""
        query = f"""SELECT created, {_COLUMNS} FROM executions
          WHERE run_id IN (SELECT value FROM json_each(?)) AND removed = 0 ORDER BY position"""
        runs: dict[str, tuple[float, list[Record]]] = {}
        for created, *row in self._connection.execute(query, [json.dumps(run_ids)]):
            runs.setdefault(row[0], (created, []))[1].append(_record(row))
        return runs

    def count_executions(self, run_ids: Sequence[str]) -> int:
        """Return the number of executions of some runs."""
        query = "SELECT count(*) FROM executions WHERE run_id IN (SELECT value FROM json_each(?))"
        return self._connection.execute(query, [json.dumps(run_ids)]).fetchone()[0]

    def last_outcomes(self) -> dict[str, str]:
        """Return, by name in Dagster, the status of each task's newest execution that succeeded or failed."""
        # With max() SQLite takes the other columns from the row with the maximum.
        query = f"SELECT name, status, max(created) FROM executions WHERE status IN ({_quoted(OUTCOMES)}) GROUP BY name"
        return {name: status for name, status, _ in self._connection.execute(query)}

    def tallies(self, task_id: str | None = None, window: TimeWindow = ALWAYS) -> list[TaskAggregate]:
        """Return the aggregates of one task or of all."""
        conditions = window.conditions()
        if task_id is not None:
            conditions.append(("name = ?", dagster_name(task_id)))
        good, bad = _quoted(SUCCESSES), _quoted({State.FAILED})
        query = f"""SELECT
            name, count(*), sum(status IN ({good})), sum(status IN ({bad})), count(timed), avg(timed), max(start)
          FROM executions INDEXED BY tally {_where(conditions)} GROUP BY name"""
        rows = self._connection.execute(query, _values(conditions)).fetchall()
        return [self._tally(name, window, figures) for name, *figures in rows]

    def days(self, task_id: str | None, window: TimeWindow) -> list[tuple[str, str | None, str, int]]:
        """Return, by name in Dagster, Shanghai's day of the start and status, how many executions there are."""
        conditions = [*window.conditions(), *([("name = ?", dagster_name(task_id))] if task_id is not None else [])]
        query = f"""SELECT name, date(start, 'unixepoch', '+8 hours') AS day, status, count(*)
          FROM executions INDEXED BY tally {_where(conditions)} GROUP BY name, day, status"""
        return self._connection.execute(query, _values(conditions)).fetchall()

    def _tally(self, name: str, window: TimeWindow, figures: Sequence[Any]) -> TaskAggregate:
        total, good, bad, timed, mean, last_start = figures
        conditions = [("name = ?", name), *window.conditions()]
        where, values = _where(conditions), _values(conditions)
        newest = f"SELECT task, status FROM executions {where} {_NEWEST_FIRST} LIMIT 1"
        task, last_status = self._connection.execute(newest, values).fetchone()
        # The nearest rank: the smallest duration that 95 % do not exceed.
        rank = -(-95 * timed // 100)
        ranked = f"SELECT timed FROM executions {where} AND timed IS NOT NULL ORDER BY timed LIMIT 1 OFFSET ?"
        p95 = self._connection.execute(ranked, [*values, rank - 1]).fetchone()[0] if timed else None
        return TaskAggregate(name, task, total, good, bad, mean, p95, last_start, last_status)


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _make(connection: sqlite3.Connection, discard: bool) -> None:
    """Create the tables in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    if not discard and _version(connection) == _SCHEMA_VERSION:  # another process has created them
        connection.execute("COMMIT")
        return
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f"DROP TABLE {name}")
    for statement in _SCHEMA.split(";")[:-1]:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _quoted(statuses: Collection[str]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))


def _where(conditions: Sequence[tuple[str, Any]]) -> str:
    return "WHERE " + " AND ".join(text for text, _ in conditions) if conditions else ""


def _values(conditions: Sequence[tuple[str, Any]]) -> list[Any]:
    return [value for _, value in conditions]


def _row(created: float, position: int, record: Record) -> tuple[Any, ...]:
    timed = record.duration if record.status in OUTCOMES else None
    identity = (created, record.run_id, position, record.step, record.job, dagster_name(record.task), record.task)
    times = (record.status, record.start, record.end, timed, record.retries)
    return (*identity, *times, _text(record.params), _text(record.result), record.error, record.log_key, 0)


def _record(row: Sequence[Any]) -> Record:
    record = Record(*row)
    return record._replace(params=_parsed(record.params), result=_parsed(record.result))


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _parsed(text: Any) -> Any:
    return None if text is None else json.loads(text)
