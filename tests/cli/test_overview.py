"""`mystocks` without a command: the state of the project, and commands that help now."""

from pathlib import Path

import pytest
from support.commands import Commands
from support.small_market import small_lake


def test_a_folder_without_a_project_is_told_how_to_get_one(cli: Commands) -> None:
    told = cli()
    assert "there is no project in" in told
    assert "mystocks init my-market" in told


def test_an_empty_lake_leads_to_bootstrap_and_stored_days_to_what_is_missing(
    cli: Commands, shipped: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = cli()
    assert "17 tasks, 3 groups" in empty
    assert "mystocks bootstrap" in empty
    lake = small_lake(cli.folder.root / "data")
    newest = lake.days("daily_bars")[-1]
    monkeypatch.setenv("MYSTOCKS_NOW", f"{newest}T23:00:00+08:00")
    filled = cli()
    assert f"up to {newest}, up to date" in filled
    assert "bootstrap" not in filled
    assert "mystocks chart" in filled


def test_a_broken_task_file_is_named_with_the_command_that_explains_it(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", "tasks: 5\n")
    told = cli()
    assert "tasks.yaml:1" in told
    assert "mystocks check" in told


def test_a_project_that_an_older_version_made_leads_to_the_upgrade(cli: Commands, shipped: object) -> None:
    older = Path(__file__).parent.parent / "project" / "older" / "dagster.yaml"
    (cli.folder.root / "dagster.yaml").write_text(older.read_text(encoding="utf-8"), encoding="utf-8")
    told = cli()
    assert "17 tasks" in told
    assert "max_concurrent_runs" in told
    assert "mystocks upgrade" in told
    cli("upgrade")
    assert "mystocks upgrade" not in cli()
