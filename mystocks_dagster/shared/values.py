"""Small texts by key in the database that the machines share, in Dagster's own table of such values."""

from typing import Any

import psycopg2

from mystocks_dagster.errors import InstanceError
from mystocks_dagster.shared.locks import connect, unreachable

#: What Postgres calls the error that there is no such table.
_NO_TABLE = "42P01"
_SET = "INSERT INTO kvs (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value"


class Values:
    """The values, over a connection that is opened when first needed, and again after an outage."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    def get(self, key: str) -> str | None:
        """Return the value of a key; None without one, and in a database that has no tables yet.

        Raises:
            InstanceError: The database does not answer.
        """
        try:
            rows = self._execute("SELECT value FROM kvs WHERE key = %s", key)
        except InstanceError as error:
            if getattr(error.__cause__, "pgcode", None) == _NO_TABLE:
                return None
            raise
        return rows[0][0] if rows else None

    def set(self, key: str, value: str) -> None:
        """Store a value.

        Raises:
            InstanceError: The database does not answer.
        """
        self._execute(_SET, key, value)

    def now(self) -> float:
        """Return the database's time in seconds since 1970.

        Raises:
            InstanceError: The database does not answer.
        """
        return float(self._execute("SELECT extract(epoch FROM clock_timestamp())")[0][0])

    def _execute(self, sql: str, *values: str) -> list[tuple[Any, ...]]:
        known = self._connection is not None
        try:
            if self._connection is None:
                self._connection = connect(self._url, "mystocks values")
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self._connection = None
            if known:  # the server was restarted since the last statement
                return self._execute(sql, *values)
            raise unreachable(error) from error
