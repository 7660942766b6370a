"""What of a Postgres database is copied, and what an unreachable one is told."""

import io
import os
from collections.abc import Callable
from typing import IO, Any

import psycopg2
import pytest
from support.postgres import new_database

from mystocks_dagster.backup import postgres as module
from mystocks_dagster.errors import BackupError

pytestmark = pytest.mark.slow


def test_the_queue_of_the_machines_is_left_out_and_the_rest_is_copied(
    postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_database(postgres, "queue", monkeypatch)
    url = os.environ["MYSTOCKS_POSTGRES_URL"].replace("postgresql+psycopg2", "postgresql")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TYPE procrastinate_job_status AS ENUM ('todo', 'done')")
        cursor.execute("CREATE TABLE procrastinate_jobs (id bigserial PRIMARY KEY, status procrastinate_job_status)")
        cursor.execute("CREATE TABLE notes (id bigserial PRIMARY KEY, text text)")
        cursor.execute("INSERT INTO notes (text) VALUES ('沪'), ('a\tb')")
    connection.close()
    files: dict[str, bytes] = {}

    def put(path: str, fill: Callable[[IO[bytes]], object]) -> None:
        content = io.BytesIO()
        fill(content)
        files[path] = content.getvalue()

    tables = module.dump(url, put)
    assert [(entry.table, entry.rows) for entry in tables] == [("notes", 2)]
    assert sorted(files) == ["postgres/notes.copy", "postgres/schema.sql"]
    new_database(postgres, "queue", monkeypatch)
    module.load(url, tables, lambda path: io.BytesIO(files[path]))
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO notes (text) VALUES ('new') RETURNING id")
        assert cursor.fetchall() == [(3,)]
        cursor.execute("SELECT text FROM notes ORDER BY id")
        assert [text for (text,) in cursor.fetchall()] == ["沪", "a\tb", "new"]
    connection.close()


@pytest.mark.parametrize(
    "definitions",
    [
        "CREATE TABLE a (b text);\nCOPY a FROM PROGRAM 'id';\n",
        "CREATE TABLE a (b text); DROP TABLE c;\n",
        "CREATE FUNCTION a() RETURNS int AS 'x';\n",
        "DO 'x'",
    ],
)
def test_definitions_that_do_something_else_are_not_run(definitions: str) -> None:
    with pytest.raises(BackupError, match="statements that no backup has"):
        module.load("postgresql://nobody@127.0.0.1:1/none", [], lambda _: io.BytesIO(definitions.encode()))


def test_a_database_that_does_not_answer_is_said_with_the_variable_to_check() -> None:
    with pytest.raises(BackupError, match="MYSTOCKS_POSTGRES_URL"):
        module.row_counts("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
