"""A database that does not answer: each command says so, and ends."""

import socket
import time
from pathlib import Path

import pytest
from support.commands import Commands

from mystocks_dagster import instance
from mystocks_dagster.backup import postgres
from mystocks_dagster.shared import locks

TASKS = """
    tasks:
      - task_id: tell
        task_type: manual
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {data_source: simulated}
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["history", "logs", "users", "list", "run", "backup"])
def test_a_command_ends_when_the_database_accepts_me_but_does_not_answer(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    # What a stopped server does: the system accepts for it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql+psycopg2://me:secret@127.0.0.1:{server.getsockname()[1]}/stocks"
        monkeypatch.setenv("MYSTOCKS_POSTGRES_URL", url)
        text = (cli.folder.root / "dagster.yaml").read_text(encoding="utf-8")
        there = "  postgres:\n    postgres_url: {env: MYSTOCKS_POSTGRES_URL}\n"
        cli.folder.write("dagster.yaml", text.replace("  sqlite:\n    base_dir: .dagster\n", there))
        cli.folder.write("tasks.yaml", TASKS)
        for module in (locks, postgres):
            monkeypatch.setattr(module, "_CONNECT_SECONDS", 2)
        monkeypatch.setattr(instance, "_CONNECT_SECONDS", "2")
        monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
        arguments = {
            "logs": ["logs", "tell"],
            "users": ["users", "list"],
            "run": ["run", "tell"],
            "backup": ["backup", str(tmp_path / "backup")],
        }
        began = time.monotonic()
        told = cli(*arguments.get(command, [command]), code=1)
        assert time.monotonic() - began < 8, "tries of 2 s instead of 10 s"
    assert told.count("Error:") == 1
    assert "timeout expired" in told
    assert "secret" not in told
