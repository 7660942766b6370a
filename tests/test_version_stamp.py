"""The project of a newer version is read, and not written to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.commands import Commands
from support.postgres import use_postgres

from mystocks_dagster.errors import SettingsError
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import Storage
from mystocks_dagster.version_stamp import STAMP, installed, refuse_newer

TASKS = """
    tasks:
      - task_id: daily
        task_type: cron
        task_module: mystocks_dagster.tasks.data_sync
        task_function: sync_daily_stock_data
        params: {data_source: simulated}
        schedule: {schedule_type: cron, cron_expression: "0 16 * * *"}
"""
TASK = {"task_id": "mine", "task_type": "cron", "task_module": "os", "task_function": "getcwd"}
WRITING = {
    "run": ["run", "daily"],
    "ui": ["ui", "--port", "0"],
    "api": ["api", "--port", "0"],
    "worker": ["worker"],
    "stop": ["stop", "daily"],
    "disable": ["disable", "daily"],
    "add": ["add", "mine.json"],
    "remove": ["remove", "daily"],
    "backfill": ["backfill", "daily", "--from", "2026-11-02", "--to", "2026-11-03"],
    "upgrade": ["upgrade"],
}


@pytest.fixture
def newer(cli: Commands) -> Commands:
    """A project that a newer version has brought along."""
    cli.folder.write("tasks.yaml", TASKS)
    cli.folder.write("mine.json", json.dumps(TASK))
    cli.folder.write(f".dagster/{STAMP}", "99.1\n")
    return cli


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_i_went_back_to_an_older_version_and_it_says_so_before_it_changes_anything(
    newer: Commands, command: str
) -> None:
    before = (newer.folder.root / "tasks.yaml").read_bytes()
    told = newer(*WRITING[command], code=1)
    assert f"is of version 99.1, and {installed()} is installed" in told
    assert "pip install 'mystocks-dagster>=99.1'" in told
    assert (newer.folder.root / "tasks.yaml").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("command", [["check"], ["list"], ["show", "daily"], ["history"], []])
def test_what_only_reads_goes_on(newer: Commands, command: list[str]) -> None:
    newer(*command)


@pytest.mark.parametrize("version", [installed(), "0.0.1", ""])
def test_a_project_of_this_version_or_an_older_one_is_taken(tmp_path: Path, cli: Commands, version: str) -> None:
    cli.folder.write(f".dagster/{STAMP}", version)
    refuse_newer(Settings.from_env())


def test_a_stamp_that_is_no_version_is_named(cli: Commands) -> None:
    cli.folder.write(f".dagster/{STAMP}", "ninety")
    with pytest.raises(SettingsError, match="'ninety', which is not a version"):
        refuse_newer(Settings.from_env())


@pytest.mark.slow
@pytest.mark.parametrize("command", [["ui", "--port", "0"], ["worker"], ["upgrade"], ["add", "mine.json"]])
def test_another_folder_on_the_database_of_a_newer_version_changes_nothing_there(
    cli: Commands, command: list[str], postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.folder.write("tasks.yaml", TASKS)
    cli.folder.write("mine.json", json.dumps(TASK))
    use_postgres(cli.folder, postgres, monkeypatch)
    settings = replace(Settings.from_env(), root=cli.folder.root, dagster_home=cli.folder.root / ".dagster")
    with open_instance(settings) as instance:
        instance.run_storage.set_cursor_values({Storage.DAEMON_VERSION: "99.1"})
        told = cli(*command, code=1)
        assert f"The database that the machines share is of version 99.1, and {installed()} is installed" in told
        assert "pip install 'mystocks-dagster>=99.1'" in told
        noted = instance.run_storage.get_cursor_values({Storage.DAEMON_VERSION})
        assert noted == {Storage.DAEMON_VERSION: "99.1"}
        # A daemon that `mystocks ui` has not started, as on Kubernetes, asks too.
        monkeypatch.setenv("MYSTOCKS_ROOT", str(settings.root))
        monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
        with pytest.raises(SystemExit):
            _ = instance.run_coordinator.dequeue_interval_seconds
        assert instance.run_storage.get_cursor_values({Storage.DAEMON_VERSION}) == noted
    cli("history")


@pytest.mark.slow
def test_after_an_upgrade_the_shared_database_is_of_the_new_version(
    cli: Commands, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.folder.write("tasks.yaml", TASKS)
    use_postgres(cli.folder, postgres, monkeypatch)
    settings = replace(Settings.from_env(), root=cli.folder.root, dagster_home=cli.folder.root / ".dagster")
    with open_instance(settings) as instance:
        instance.run_storage.set_cursor_values({Storage.DAEMON_VERSION: "0.0.1"})
        cli("upgrade")
        assert instance.run_storage.get_cursor_values({Storage.DAEMON_VERSION}) == {Storage.DAEMON_VERSION: installed()}
