"""Every query of docs/graphql.md does what the page says, against the real webserver and daemon."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import dagster
import pytest
import yaml
from support.blocks import block
from support.project import ROOT, Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [quick]
    tasks:
      - task_id: daily_data_sync
        task_name: 每日同步
        task_type: cron
        task_module: quick
        task_function: load
        params: {rows: 3}
        tags: [日线]
        schedule: {schedule_type: cron, cron_expression: "0 16 * * 1-5"}
      - {task_id: slow, task_type: manual, task_module: quick, task_function: slow}
"""
NEW = "tasks:\n  - {task_id: new_one, task_type: manual, task_module: quick, task_function: load, params: {rows: 1}}\n"
QUICK = """
    import time

    def load(params):
        return {"status": "success", "rows": params["rows"], "message": "装载"}

    def slow(params):
        time.sleep(600)
"""


def page() -> dict[int, tuple[str, dict[str, Any]]]:
    """Return call number to the query and the variables of its section."""
    text = (ROOT / "docs" / "graphql.md").read_text(encoding="utf-8")
    found = {}
    for section in text.split("\n## ")[1:]:
        number = int(section.partition(".")[0])
        queries = re.findall(r"```graphql\n(.*?)```", section, re.S)
        variables = re.findall(r"```json\n(.*?)```", section, re.S)
        assert len(queries) == 1, section
        found[number] = queries[0], json.loads(variables[0]) if variables else {}
    return found


CALLS = page()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("graphql") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    folder.write("exports/new_task.yaml", f"task_packages: [quick]\n{NEW}")
    with serve(folder) as server:
        yield server


def call(server: Server, number: int, **variables: Any) -> Any:
    """Run the query of a call with the page's variables, some of them replaced."""
    query, defaults = CALLS[number]
    return server.graphql(query, **{**defaults, **variables})


def launched(server: Server, number: int, **variables: Any) -> str:
    """Launch what the call launches, wait for its success and return the run's id."""
    told = call(server, number, **variables)["launchRun"]
    assert told["__typename"] == "LaunchRunSuccess", told
    run_id = told["run"]["runId"]
    assert server.wait(run_id) == "SUCCESS"
    return run_id


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_line_of_the_page_is_answered_by_dagster(server: Server) -> None:
    line = block("graphql.md", "console").text.removeprefix("$ ").replace("http://127.0.0.1:3000", server.address)
    told = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == {"data": {"version": dagster.__version__}}


def jobs(server: Server) -> dict[str, Any]:
    """Return what call 2 lists, by name."""
    return {job["name"]: job for job in call(server, 2)["repositoryOrError"]["jobs"]}


def test_there_is_one_query_for_each_of_the_thirteen_calls() -> None:
    assert list(CALLS) == list(range(1, 14))


def test_tasks_are_listed_and_shown(server: Server) -> None:
    listed = jobs(server)
    tags = {tag["key"]: tag["value"] for tag in listed["daily_data_sync"]["tags"]}
    assert (tags["mystocks/task_id"], tags["dagster/mystocks_task_type"]) == ("daily_data_sync", "cron")
    assert "日线" in [value for key, value in tags.items() if key.startswith("mystocks/tag.")]
    assert [one["scheduleState"]["status"] for one in listed["daily_data_sync"]["schedules"]] == ["RUNNING"]
    shown = call(server, 3)["pipelineOrError"]
    assert "每日同步" in shown["description"]
    assert shown["schedules"][0]["cronSchedule"] == "0 16 * * 1-5"
    assert len(shown["schedules"][0]["futureTicks"]["results"]) == 3
    assert call(server, 3, job="no_such_task")["pipelineOrError"]["__typename"] == "PipelineNotFoundError"


def test_a_started_execution_is_found_with_what_it_reported(server: Server) -> None:
    run_id = launched(server, 4, config={"ops": {"daily_data_sync": {"config": {"rows": 7}}}})
    newest = call(server, 7)["runsOrError"]["results"][0]
    assert (newest["runId"], newest["status"], newest["stepStats"][0]["stepKey"]) == (
        run_id,
        "SUCCESS",
        "daily_data_sync",
    )
    told = call(server, 8, run=run_id)["runOrError"]
    [output] = [event for event in told["eventConnection"]["events"] if event.get("stepKey")]
    reported = {entry["label"]: entry.get("text") or entry.get("jsonString") for entry in output["metadataEntries"]}
    assert reported["mystocks/status"] == "success"
    assert reported["mystocks/message"] == "装载"
    assert json.loads(reported["mystocks/result"]) == {"rows": 7}


def test_what_runs_is_stopped(server: Server) -> None:
    run_id = call(server, 4, job="slow", config={})["launchRun"]["run"]["runId"]
    wait_for(lambda: server.status(run_id) == "STARTED", 90, "the slow task's start")
    assert call(server, 5, run=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    assert server.wait(run_id) == "CANCELED"


def test_a_task_is_registered_imported_exported_and_deleted(server: Server) -> None:
    root = server.folder.root
    before = (root / "tasks.yaml").read_text(encoding="utf-8")
    dry_run = {"ops": {"import_tasks": {"config": {"config_path": "exports/new_task.yaml", "dry_run": True}}}}
    launched(server, 11, config=dry_run)
    assert (root / "tasks.yaml").read_text(encoding="utf-8") == before
    launched(server, 1)
    wait_for(lambda: "new_one" in jobs(server), 90, "the registered task's job")
    launched(server, 12)
    exported = json.loads((root / "exports" / "tasks.json").read_text(encoding="utf-8"))
    assert {task["task_id"] for task in exported["tasks"]} == {"daily_data_sync", "slow", "new_one"}
    launched(server, 6)
    wait_for(lambda: "new_one" not in jobs(server), 90, "the deleted task's job to go")
    ids = [task["task_id"] for task in yaml.safe_load((root / "tasks.yaml").read_text(encoding="utf-8"))["tasks"]]
    assert ids == ["daily_data_sync", "slow"]


def test_a_dry_clean_up_removes_nothing(server: Server) -> None:
    count = len(call(server, 7)["runsOrError"]["results"])
    assert count > 0
    launched(server, 9)
    assert len(call(server, 7)["runsOrError"]["results"]) == count


def test_statistics_are_the_newest_table_of_their_asset(server: Server) -> None:
    def refreshed() -> dict[str, Any] | None:
        found = call(server, 10)["assetOrError"].get("assetMaterializations")
        return found[0] if found else None

    told = wait_for(refreshed, 150, "the statistics to be refreshed by their sensor")
    shown = {entry["label"]: entry.get("text", entry.get("floatValue")) for entry in told["metadataEntries"]}
    assert shown["daily_data_sync · 成功率 %"] == 100.0
    assert any(label.startswith("daily_data_sync ") and "成功率 100 %" in str(text) for label, text in shown.items())


def test_health_tells_of_the_daemon_and_of_the_task_file(server: Server) -> None:
    told = call(server, 13)
    required = [one for one in told["instance"]["daemonHealth"]["allDaemonStatuses"] if one["required"]]
    assert {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR"} <= {
        one["daemonType"] for one in required if one["healthy"]
    }
    [entry] = told["workspaceOrError"]["locationEntries"]
    assert (entry["name"], entry["loadStatus"], entry["locationOrLoadError"]["__typename"]) == (
        "mystocks",
        "LOADED",
        "RepositoryLocation",
    )
