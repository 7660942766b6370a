"""`mystocks` without a command: the state of the project, and commands that help now."""

from datetime import timedelta
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


def test_of_hundreds_of_broken_tasks_the_first_ones_are_named(cli: Commands) -> None:
    many = [f"  - {{task_id: task_{n}, task_module: market_data, task_function: no}}\n" for n in range(300)]
    cli.folder.write("tasks.yaml", f"tasks:\n{''.join(many)}")
    assert "task_0, task_1, task_2 and 297 more" in cli()


def test_a_project_that_an_older_version_made_leads_to_the_upgrade(cli: Commands, shipped: object) -> None:
    older = Path(__file__).parent.parent / "project" / "older" / "dagster.yaml"
    (cli.folder.root / "dagster.yaml").write_text(older.read_text(encoding="utf-8"), encoding="utf-8")
    told = cli()
    assert "17 tasks" in told
    assert "max_concurrent_runs" in told
    assert "mystocks upgrade" in told
    cli("upgrade")
    assert "mystocks upgrade" not in cli()


def test_a_project_without_the_shipped_groups_is_led_to_what_it_has(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = "task_type: manual, task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data"
    cli.folder.write("tasks.yaml", f"tasks:\n- {{task_id: tidy, {entry}}}\n")
    assert "mystocks demo" not in cli()
    assert "Start a run with: mystocks run tidy" in cli("history")
    assert "Fill it with: mystocks run tidy" in cli("data", "tables")
    cli.folder.write(
        "tasks.yaml", f"tasks:\n- {{task_id: tidy, {entry}}}\ntask_groups:\n- {{group_id: g, tasks: [tidy]}}\n"
    )
    assert "Start a run with: mystocks run g" in cli("history")
    lake = small_lake(cli.folder.root / "data")
    later = lake.days("daily_bars")[-1] + timedelta(days=10)
    monkeypatch.setenv("MYSTOCKS_NOW", f"{later}T23:00:00+08:00")
    assert "mystocks run g" in cli()


@pytest.mark.parametrize("daily", ["", "{task_id: daily_job, ENTRY},"], ids=["nothing", "a task of that name"])
def test_the_demo_says_what_it_needs_and_what_can_be_run_instead(cli: Commands, daily: str) -> None:
    entry = "task_type: manual, task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data"
    tasks = f"[{daily.replace('ENTRY', entry)} {{task_id: tidy, {entry}}}]"
    groups = "[{group_id: mine, tasks: [tidy]}, {group_id: market_data_fetch, tasks: [tidy]}]"
    cli.folder.write("tasks.yaml", f"tasks: {tasks}\ntask_groups: {groups}\n")
    told = cli("demo", code=1)
    assert "The demo runs the groups daily_job and market_data_fetch of the shipped task file" in told
    assert "tasks.yaml has no group daily_job." in told
    assert told.strip().endswith("mystocks --demo run mine")
    chinese = cli("--lang", "zh", "demo", code=1)
    assert "没有任务组 daily_job。在模拟行情上运行其中已有的：mystocks --demo run mine" in chinese
