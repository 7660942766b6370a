"""Returning free space in databases to the disk, which SQLite and Postgres do only on request."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as db
from sqlalchemy.exc import OperationalError

from mystocks_dagster import disk_errors
from mystocks_dagster.history.dagster_storage import event_storage, run_storage, schedule_storage

#: Longest wait for a busy database.
_PATIENCE_SECONDS = 30
#: Tables of runs and ticks, by storage.
_TABLES = {
    "run": ("runs", "run_tags", "snapshots", "kvs"),
    "event": ("event_logs", "asset_event_tags", "asset_check_executions"),
    "schedule": ("job_ticks",),
}


def database_bytes(instance: dg.DagsterInstance) -> int:
    """Return the size in bytes of the databases that all runs share."""
    total = 0
    for kind, connection in _connections(instance):
        if connection.dialect.name == "sqlite":
            total += sum(file.stat().st_size for file in _files(connection) if file.is_file())
        elif connection.dialect.name == "postgresql":
            sizes = [db.func.pg_total_relation_size(db.cast(table, db.Text)) for table in _TABLES[kind]]
            total += connection.execute(db.select(sum(sizes[1:], start=sizes[0]))).scalar_one()
    return total


def compact(instance: dg.DagsterInstance) -> list[str]:
    """Compact the databases; return a message per failure."""
    notes = []
    for kind, connection in _connections(instance):
        if connection.dialect.name == "sqlite":
            notes += compact_file(Path(connection.engine.url.database))
        elif connection.dialect.name == "postgresql":
            notes += _compact_tables(connection, _TABLES[kind])
    return notes


def compact_file(path: Path) -> list[str]:
    """Compact an SQLite file; return a message on failure."""
    needed, free = 2 * path.stat().st_size, disk_errors.room(path.parent)
    if free < needed:
        reason = f"that temporarily needs {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free"
        return [_not_compacted(path.name, reason, " Or clean up again when there is more space.")]
    try:
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        return [_not_compacted(path.name, str(error), " Or clean up again when nothing is running.")]
    return []


def _not_compacted(name: str, reason: str, remedy: str = "") -> str:
    return f"{name} was not compacted ({reason}). Its free space will be reused.{remedy}"


def _compact_tables(connection: Any, tables: tuple[str, ...]) -> list[str]:
    """Rewrite the tables that are mostly empty, which locks them; in the others make the free space reusable."""
    notes = []
    connection.execute(db.text("SET lock_timeout = '5s'"))
    for table in tables:
        connection.execute(db.text(f"ANALYZE {table}"))
        live, dead = connection.execute(
            db.text("SELECT n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relid = to_regclass(:table)"),
            {"table": table},
        ).one_or_none() or (0, 0)
        try:
            options = "FULL, ANALYZE" if dead > live else "ANALYZE"
            connection.execute(db.text(f"VACUUM ({options}) {table}"))
        except OperationalError as error:
            notes.append(_not_compacted(table, str(error.orig).strip()))
    return notes


def _connections(instance: dg.DagsterInstance) -> Iterator[tuple[str, Any]]:
    with run_storage(instance).connect() as connection:
        yield "run", connection
    with event_storage(instance).index_connection() as connection:
        yield "event", connection
    with schedule_storage(instance).connect() as connection:
        yield "schedule", connection


def _files(connection: Any) -> list[Path]:
    path = Path(connection.engine.url.database)
    return [path, path.with_name(f"{path.name}-wal")]
