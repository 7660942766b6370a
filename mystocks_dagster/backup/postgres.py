"""Dagster's Postgres database as files: the definitions of its tables, and the rows of each, all of one moment.

Both are plain text that any Postgres reads, so neither side needs `pg_dump` of the server's version.
"""

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from mystocks_dagster.backup.manifest import TableEntry
from mystocks_dagster.errors import BackupError

#: Seconds within which the server must answer.
_CONNECT_SECONDS = 10
SCHEMA = "postgres/schema.sql"
#: The queue by which machines get runs: it is made again at their start, with types and functions of its own.
_OF_QUEUE = "procrastinate_"
#: The daemon's signs of life, which a copy's daemon has not given: with them, a run would wait for it.
HEARTBEATS = "daemon_heartbeats"
#: What the definitions of a backup do: others could run programs of the database's machine.
_DEFINITION = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX) [^;]*")
_TABLES = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name"
)
_COUNTED = (
    "SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
)


def rows_path(table: str) -> str:
    """Return the path in the backup of the rows of a table."""
    return f"postgres/{table}.copy"


def dump(url: str, put: Callable[[str, Callable[[IO[bytes]], object]], None]) -> list[TableEntry]:
    """Write the database as files, while others go on writing; return its tables in the order of their references.

    Args:
        url: The database.
        put: Writes a file: its path in the backup, and the function that fills it.

    Raises:
        BackupError: The database cannot be reached or read.
    """
    with _connected(url) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        definitions, tables = _definitions(url)
        put(SCHEMA, lambda file: file.write(definitions.encode()))
        entries = []
        for table in tables:
            with connection.cursor() as cursor:
                put(rows_path(table), lambda file, cursor=cursor, table=table: _copy_out(cursor, table, file))
                entries.append(TableEntry(table=table, version=0, rows=cursor.rowcount))
        return entries


def load(url: str, tables: Sequence[TableEntry], read: Callable[[str], Any]) -> None:
    """Make the tables and fill them, all in one transaction: after an error the database is as it was.

    The daemon's heartbeats are left out.

    Args:
        url: An empty database.
        tables: The tables, in the order of their references.
        read: Opens a file of the backup by its path, for reading, as a context manager.

    Raises:
        BackupError: The database cannot be reached or written, or has other rows in the end; or the definitions do
            something else than to make tables and indexes.
    """
    with read(SCHEMA) as file:
        definitions = file.read().decode()
    if not all(_DEFINITION.fullmatch(part) for part in definitions.split(";\n") if part.strip()):
        raise BackupError(f"{SCHEMA} has statements that no backup has; nothing was changed. Use another backup.")
    with _connected(url) as connection, connection, connection.cursor() as cursor:
        cursor.execute(definitions)
        for entry in _lasting(tables):
            with read(rows_path(entry.table)) as file:
                cursor.copy_expert(f'COPY "{entry.table}" FROM STDIN', file)
            if cursor.rowcount != entry.rows:
                raise BackupError(
                    f"The table {entry.table} got {cursor.rowcount:,} of {entry.rows:,} rows; nothing was changed. "
                    "Use another backup."
                )
        cursor.execute(_COUNTED)
        for table, column in cursor.fetchall():
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('\"{table}\"', '{column}'), "
                f'(SELECT coalesce(max("{column}"), 0) + 1 FROM "{table}"), false)'
            )


def holds(url: str, tables: Sequence[TableEntry]) -> bool:
    """Return whether the database holds what `load` puts into it, by the numbers of rows; raises as `dump` does."""
    wanted = {entry.table: 0 for entry in tables} | {entry.table: entry.rows for entry in _lasting(tables)}
    counts = row_counts(url)
    return bool(counts) and counts == wanted


def row_counts(url: str) -> dict[str, int]:
    """Return the number of rows of each table of the database; raises as `dump` does."""
    with _connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(_TABLES)
        counts = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            counts[table] = cursor.fetchone()[0]
        return counts


def _lasting(tables: Sequence[TableEntry]) -> list[TableEntry]:
    return [entry for entry in tables if entry.table != HEARTBEATS]


def _copy_out(cursor: Any, table: str, file: IO[bytes]) -> None:
    cursor.copy_expert(f'COPY "{table}" TO STDOUT', file)


def _definitions(url: str) -> tuple[str, list[str]]:
    """Return the SQL that makes the tables with keys and indexes, and their names in the order of their references."""
    import sqlalchemy as db
    from sqlalchemy.schema import CreateIndex, CreateTable

    engine = db.create_engine(url.replace("postgresql://", "postgresql+psycopg2://", 1))
    try:
        known = db.MetaData()
        known.reflect(bind=engine, only=lambda name, _: not name.startswith(_OF_QUEUE))
        parts: Iterator[Any] = (
            part
            for table in known.sorted_tables
            for part in (
                CreateTable(table),
                *map(CreateIndex, sorted(table.indexes, key=lambda index: index.name or "")),
            )
        )
        text = "".join(f"{str(part.compile(engine)).strip()};\n" for part in parts)
        return text, [table.name for table in known.sorted_tables]
    finally:
        engine.dispose()


@contextmanager
def _connected(url: str) -> Generator[Any]:
    import psycopg2

    try:
        connection = psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS)
    except psycopg2.Error as error:
        raise BackupError(f"The database cannot be reached: {_line(error)}. Check MYSTOCKS_POSTGRES_URL.") from None
    try:
        yield connection
    except psycopg2.Error as error:
        raise BackupError(f"The database cannot be copied: {_line(error)}. Nothing in it was changed.") from error
    finally:
        connection.close()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".")
