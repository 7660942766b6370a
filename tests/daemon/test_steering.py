"""Switches and reloads against the real web UI and daemon: what the command does, the UI shows, and the other way
round."""

from collections.abc import Iterator
from typing import Any

import pytest
from support.commands import Commands, commands_in
from support.project import Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [steered]
    defaults: {task_module: steered, task_function: nothing}
    tasks:
      - task_id: daily
        task_type: cron
        schedule: {schedule_type: cron, cron_expression: "0 3 * * *"}
      - task_id: beat
        task_type: cron
        schedule: {schedule_type: interval, interval_seconds: 5}
      - {task_id: slow, task_type: manual, task_function: sleep_on}
"""
STEERED = """
    import time

    def nothing(params):
        return None

    def sleep_on(params):
        time.sleep(600)
"""
LATER = """
task_id: later
task_type: cron
schedule: {schedule_type: interval, interval_seconds: 5}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("steering") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("steered.py", STEERED)
    # Before any server has ever run: the first one finds it so.
    folder.mystocks("disable", "beat")
    with serve(folder) as server:
        yield server


@pytest.fixture
def cli(server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return commands_in(server.folder, monkeypatch, capsys)


def state(server: Server, name: str) -> dict[str, Any]:
    """Return the switch of a schedule or sensor as the UI shows it."""
    return server.graphql(
        """query($id: InstigationSelector!) { instigationStateOrError(instigationSelector: $id) {
             ... on InstigationState { id selectorId status hasStartPermission } ... on PythonError { message } } }""",
        id={"repositoryLocationName": "mystocks", "repositoryName": "__repository__", "name": f"{name}__schedule"},
    )["instigationStateOrError"]


def switch(cli: Commands, name: str) -> dict[str, Any]:
    """Return the switch as the command line shows it."""
    return next(one["switch"] for one in cli.json("list") if one["task_id"] == name)


def runs(server: Server, job: str) -> list[dict[str, Any]]:
    query = (
        "query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId tags { key"
        " value } } } } }"
    )
    return server.graphql(query, job=job)["runsOrError"]["results"]


def test_a_switch_turned_before_the_servers_ran_holds_and_resuming_it_fires_when_next_says(
    server: Server, cli: Commands
) -> None:
    assert state(server, "beat")["status"] == "STOPPED"
    assert runs(server, "beat") == []
    cli("resume", "beat")
    assert state(server, "beat")["status"] == "RUNNING"
    # After the first run the sensor notes from when it counts.
    wait_for(lambda: len(runs(server, "beat")) > 1, 30, "the second run of the resumed interval")
    said = {one["time"] for one in cli.json("next", "beat", "--count", "5")}

    def fired() -> set[str]:
        return {
            tag["value"]
            for run in runs(server, "beat")
            for tag in run["tags"]
            if tag["key"] == "dagster/mystocks_scheduled_at"
        }

    wait_for(lambda: said & fired(), 30, "a run at a time that next told")
    cli("disable", "beat")


def test_the_command_and_the_ui_turn_one_and_the_same_switch(server: Server, cli: Commands) -> None:
    assert state(server, "daily")["status"] == "RUNNING"
    cli("disable", "daily")
    shown = state(server, "daily")
    assert shown["status"] == "STOPPED"
    selector = {
        "repositoryLocationName": "mystocks",
        "repositoryName": "__repository__",
        "scheduleName": "daily__schedule",
    }
    server.graphql("mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) { __typename } }", s=selector)
    assert switch(cli, "daily") == {"task_id": "daily", "on": True, "file": True, "decided": True}
    server.graphql("mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }", id=shown["id"])
    assert switch(cli, "daily") == {"task_id": "daily", "on": False, "file": True, "decided": True}
    cli("reset", "daily")
    assert state(server, "daily")["status"] == "RUNNING"


def test_an_edit_is_used_by_the_ui_at_once_and_by_the_daemon_within_a_minute_and_touches_nothing_that_runs(
    server: Server, cli: Commands
) -> None:
    cli("disable", "daily")
    slow = server.launch("slow")
    wait_for(lambda: server.status(slow) == "STARTED", 60, "the start of the slow task")
    server.folder.write("later.yaml", LATER)
    told = cli("add", "later.yaml")
    assert f"the web UI at {server.address} uses it now" in told
    # The daemon, not yet told, has up to a minute; meanwhile:
    assert server.wait(server.launch("later")) == "SUCCESS"
    assert state(server, "daily")["status"] == "STOPPED", "a switch survives the reload"
    good = (server.folder.root / "tasks.yaml").read_text(encoding="utf-8")
    server.folder.write("tasks.yaml", good + "\n  ]")
    assert "tasks.yaml:" in cli("reload", code=1)
    assert server.status(server.launch("later")) in (
        "QUEUED",
        "STARTING",
        "STARTED",
        "NOT_STARTED",
    ), "what was loaded stays"
    (server.folder.root / "tasks.yaml").write_text(good, encoding="utf-8")
    assert server.status(slow) == "STARTED"
    assert f"run {slow} of slow: canceled" in cli("stop", "slow")

    def by_itself() -> bool:
        return any(
            tag["key"] == "dagster/mystocks_scheduled_at" for run in runs(server, "later") for tag in run["tags"]
        )

    wait_for(by_itself, 75, "the daemon's first start of the added task")
