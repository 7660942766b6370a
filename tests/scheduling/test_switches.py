"""Switches without a server: they are stored on the instance, and a state that differs from the file is shown."""

import pytest
from support.commands import Commands

TASKS = """
    defaults: {task_module: mystocks_dagster.tasks.maintenance, task_function: cleanup_cache_data}
    tasks:
      - task_id: daily
        task_type: cron
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
      - task_id: beat
        task_type: cron
        schedule: {schedule_type: interval, interval_seconds: 60, enabled: false}
      - {task_id: by_hand, task_type: manual}
    task_groups:
      - {group_id: all_of_it, tasks: [by_hand], schedule: {schedule_type: cron, cron_expression: "0 9 * * *"}}
"""


@pytest.fixture(autouse=True)
def _tasks(cli: Commands) -> None:
    cli.folder.write("tasks.yaml", TASKS)


def switches(cli: Commands) -> dict[str, tuple[bool, bool]]:
    """Return, by task, whether its switch is on and whether the file has it on."""
    return {one["task_id"]: (one["switch"]["on"], one["switch"]["file"]) for one in cli.json("list") if one["switch"]}


def test_before_anybody_turned_a_switch_the_file_counts(cli: Commands) -> None:
    assert switches(cli) == {"daily": (True, True), "beat": (False, False)}


@pytest.mark.slow
def test_a_switch_wins_over_the_file_until_it_is_reset(cli: Commands) -> None:
    assert cli.json("disable", "daily") == {"task_id": "daily", "on": False, "file": True, "decided": True}
    assert cli.json("resume", "beat")["on"] is True
    assert switches(cli) == {"daily": (False, True), "beat": (True, False)}
    shown = cli("list")
    assert "0 16 * * 1-5 (off, file: on)" in shown
    assert "every 60 s (on, file: off)" in shown
    assert cli.json("reset", "daily") == {"task_id": "daily", "on": True, "file": True, "decided": False}
    assert cli.json("reset", "beat")["on"] is False
    assert switches(cli) == {"daily": (True, True), "beat": (False, False)}


def test_an_edit_of_the_file_does_not_move_a_switch_that_was_turned(cli: Commands) -> None:
    cli.json("pause", "daily")
    cli.folder.write(
        "tasks.yaml",
        TASKS.replace('"0 16 * * 1-5"', '"30 17 * * *"').replace("interval_seconds: 60", "interval_seconds: 90"),
    )
    assert switches(cli)["daily"] == (False, True)


def test_a_group_has_a_switch_too(cli: Commands) -> None:
    assert "all_of_it is off; the task file says on" in cli("disable", "all_of_it")
    assert "0 9 * * * (off, file: on)" in cli("list")


def test_a_schedule_of_another_type_starts_with_what_the_file_says(cli: Commands) -> None:
    cli.json("disable", "daily")
    cron, interval = 'cron, cron_expression: "0 16 * * 1-5"', "interval, interval_seconds: 30"
    cli.folder.write("tasks.yaml", TASKS.replace(cron, interval))
    assert switches(cli)["daily"] == (True, True)
    assert cli.json("disable", "daily")["on"] is False


def test_what_has_no_schedule_has_no_switch(cli: Commands) -> None:
    assert "by_hand has no schedule" in cli("disable", "by_hand", code=1)
    assert "Did you mean daily" in cli("enable", "dayly", code=1)
    cli("enable", code=2)
