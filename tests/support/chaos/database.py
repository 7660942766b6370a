"""The database of a deployment: a real Postgres in the same world, which can crash and be gone for a while."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from support.chaos.world import World
from support.postgres import postgres_server, use_postgres
from support.project import Folder


class Database:
    """A Postgres server."""

    def __init__(self, server: Any, environment: Mapping[str, str]) -> None:
        """Take over a server that runs; from its next start on it has this environment."""
        self._server = server
        self._environment = {**os.environ, **environment}
        self._sockets = server.get_postmaster_info().socket_dir

    def crash(self) -> None:
        """End it at once, without writing down anything, as `kill -9` does."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it; after a crash it recovers."""
        self._control("-o", f'-h "" -k {self._sockets}', "-l", str(self._server.log), "start")

    def connections(self) -> int:
        """Return how many connections there are, beside the one that asks."""
        told = self._server.psql(
            "SELECT 'connections', count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();"
        )
        return int(next(line for line in told.splitlines() if "connections" in line).split("|")[1])

    def _control(self, *arguments: str) -> None:
        command = [self._server.bin_path / "pg_ctl", "-w", "-t", "120", "-D", self._server.pgdata, *arguments]
        quiet = subprocess.DEVNULL
        user = self._server.system_user
        subprocess.run(command, check=True, env=self._environment, user=user, stdout=quiet, stderr=quiet)


@contextmanager
def database(folder: Folder, world: World) -> Iterator[Database]:
    """Let a project keep its history in a database of this world."""
    # Its processes are told from those of the project by another spelling of the world's file.
    file = world.environment["WORLD_FILE"]
    environment = {**world.environment, "WORLD_FILE": file.replace("/world", "/./world")}
    with postgres_server() as server, pytest.MonkeyPatch.context() as monkeypatch:
        use_postgres(folder, server, monkeypatch)
        folder.env["MYSTOCKS_POSTGRES_URL"] = os.environ["MYSTOCKS_POSTGRES_URL"]
        made = Database(server, environment)
        made.crash()
        made.start()
        try:
            yield made
        finally:
            made.crash()
