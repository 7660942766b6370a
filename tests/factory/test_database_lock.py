"""One daemon on a Postgres database that two folders share."""

import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dagster._daemon.types import DaemonHeartbeat
from support.commands import commands_in
from support.postgres import use_postgres
from support.project import Folder, make_folder, wait_for

from mystocks_dagster.instance import open_instance
from mystocks_dagster.project import servers
from mystocks_dagster.settings import Settings

TASKS = """
    tasks:
      - task_id: daily
        task_type: manual
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {data_source: simulated}
"""
CLAIM = """
import sys
from mystocks_dagster.errors import InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
database_lock._INTERVAL = 0.2
with open_instance(Settings.from_env()) as instance:
    try:
        database_lock.claim(instance)
    except InstanceError as error:
        sys.exit(str(error))
    print("it is mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folders(tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch) -> list[Folder]:
    first, second = make_folder(tmp_path / "first"), make_folder(tmp_path / "second")
    use_postgres(first, postgres, monkeypatch)
    (second.root / "dagster.yaml").write_text(
        (first.root / "dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    import os

    for folder in (first, second):
        folder.env["MYSTOCKS_POSTGRES_URL"] = os.environ["MYSTOCKS_POSTGRES_URL"]
    return [first, second]


@contextmanager
def claiming(folder: Folder) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has tried to take the lock, and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM],
        cwd=folder.root,
        env=folder.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def test_a_daemon_in_another_folder_is_refused_until_the_first_is_killed(folders: list[Folder]) -> None:
    first, second = folders
    with claiming(first) as (holder, told):
        assert told == "it is mine\n"
        with claiming(second) as (_, told):
            assert f"A daemon runs already on this database: mystocks daemon {holder.pid} on " in told
        holder.kill()
        holder.wait()

        def taken() -> bool:
            with claiming(second) as (_, told):
                return told == "it is mine\n"

        wait_for(taken, 30, "the lock of a killed daemon")


def test_a_second_ui_and_an_upgrade_elsewhere_are_refused_and_leave_the_daemon_its_heartbeat(
    folders: list[Folder], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = folders
    with claiming(first) as (holder, told):
        assert told == "it is mine\n"
        settings = replace(Settings.from_env(first.root), dagster_home=first.root / ".dagster")
        with open_instance(settings) as instance:
            beat = DaemonHeartbeat(time.time(), "QUEUED_RUN_COORDINATOR", "id", [])
            instance.add_daemon_heartbeat(beat)
            refusal = second.mystocks("ui", "--port", "0", code=1)
            assert f"A daemon runs already on this instance: mystocks daemon {holder.pid} on " in refusal
            assert "QUEUED_RUN_COORDINATOR" in instance.get_daemon_heartbeats()
            servers._forget_heartbeats(settings, settings.dagster_home)  # as one that was refused later does
            assert "QUEUED_RUN_COORDINATOR" in instance.get_daemon_heartbeats()
        second.write("tasks.yaml", "tasks: []\n")
        refusal = second.mystocks("upgrade", code=1)
        assert f"daemon {holder.pid} on " in refusal
        assert "repeat: mystocks upgrade" in refusal


def test_it_is_taken_again_after_an_outage_of_the_database(folders: list[Folder], postgres: Any) -> None:
    first, second = folders
    with claiming(first) as (holder, told):
        assert told == "it is mine\n"
        postgres.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mystocks daemon%';"
        )

        def refused() -> bool:
            with claiming(second) as (_, told):
                return f"mystocks daemon {holder.pid} on " in told

        wait_for(refused, 30, "the lock to be taken again")


def test_an_edit_on_a_second_machine_says_that_only_its_file_is_changed(
    folders: list[Folder], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = folders
    for folder in folders:
        folder.write("tasks.yaml", TASKS)
    cli = commands_in(second, monkeypatch, capsys)
    here = platform.node()
    with claiming(first) as (holder, told):
        assert told == "it is mine\n"
        assert "only the file of this machine" not in cli("edit", "daily", "priority=7")
        monkeypatch.setattr(platform, "node", lambda: "second")
        told = cli("edit", "daily", "priority=8")
        assert "only the file of this machine is changed." in told
        assert f"The daemon runs elsewhere (mystocks daemon {holder.pid} on {here})" in told
    assert [entry["machine"] for entry in cli.json("audit")] == ["second", here]
    told = cli("audit")
    assert "machine" in told
    assert "second" in told
