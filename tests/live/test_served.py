"""The real webserver, daemon and run workers, as a person meets them: over GraphQL and in the files they leave."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.project import Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [quick]
    tasks:
      - task_id: load
        task_name: 装载
        task_type: data_sync
        task_module: quick
        task_function: load
        params: {rows: 3}
      - task_id: report
        task_name: 报表
        task_type: manual
        task_module: quick
        task_function: report
        dependencies: [load]
      - task_id: fails
        task_type: data_sync
        task_module: quick
        task_function: fails
      - task_id: tick
        task_name: 每分钟
        task_type: cron
        task_module: quick
        task_function: report
        schedule: {schedule_type: cron, cron_expression: "* * * * *"}
      - task_id: slow-one
        task_type: manual
        task_module: quick
        task_function: slow
    task_groups:
      - {group_id: evening-job, group_name: 晚间任务组, tasks: [load, report]}
      - {group_id: side_by_side, tasks: [load, tick], execution_mode: parallel}
"""
QUICK = """
    import time

    def load(params):
        print("to stdout", params["rows"])
        return {"status": "success", "rows": params["rows"]}

    def report(params):
        return {"status": "success"}

    def fails(params):
        return {"status": "failed", "error": "no data today"}

    def slow(params):
        time.sleep(600)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("served") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    with serve(folder) as server:
        yield server


def metadata(entries: list[dict[str, object]]) -> dict[str, object]:
    return {entry["label"]: entry.get("text", entry.get("jsonString", entry.get("intValue"))) for entry in entries}  # type: ignore[misc]


def test_a_task_launched_over_graphql_with_other_params_materializes_its_table(server: Server) -> None:
    run_id = server.launch("load", {"ops": {"load": {"config": {"rows": 7}}}})
    assert server.wait(run_id) == "SUCCESS"
    told = server.graphql(
        """{ assetOrError(assetKey: {path: ["load"]}) { ... on Asset { assetMaterializations(limit: 1) {
             runId metadataEntries {
               label ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString }
               ... on IntMetadataEntry { intValue } } } } } }"""
    )["assetOrError"]["assetMaterializations"][0]
    shown = metadata(told["metadataEntries"])
    assert told["runId"] == run_id
    assert json.loads(str(shown["mystocks/result"])) == {"rows": 7}
    assert shown["mystocks/task_name"] == "装载"


def test_everything_is_served_under_names_that_do_not_clash(server: Server) -> None:
    told = server.graphql(
        """{ repositoryOrError(repositorySelector: {repositoryLocationName: "mystocks",
            repositoryName: "__repository__"}) {
             __typename ... on Repository { jobs { name description } assetNodes { assetKey { path } } schedules {
                 name } } } }"""
    )["repositoryOrError"]
    assert told["__typename"] == "Repository"
    jobs = {job["name"]: job["description"] for job in told["jobs"] if not job["name"].startswith("__")}
    of_the_project = {"cleanup_history", "import_tasks", "export_tasks", "delete_task", "refresh_calendar"}
    assert set(jobs) - of_the_project == {"load", "report", "fails", "tick", "slow_one", "evening_job", "side_by_side"}
    assert "装载" in jobs["load"]
    assert "晚间任务组" in jobs["evening_job"]
    assert {schedule["name"] for schedule in told["schedules"]} == {"tick__schedule", "refresh_calendar__schedule"}


def test_a_second_web_ui_of_the_same_project_is_refused(server: Server) -> None:
    assert f"is running already, at {server.address}" in server.folder.mystocks("ui", code=1).replace("\n", " ")


def test_a_dependency_runs_first_in_the_same_run(server: Server) -> None:
    run_id = server.launch("report")
    assert server.wait(run_id) == "SUCCESS"
    steps = server.graphql(
        "query($id: ID!) { runOrError(runId: $id) { ... on Run { stepStats { stepKey startTime status } } } }",
        id=run_id,
    )["runOrError"]["stepStats"]
    assert [step["stepKey"] for step in sorted(steps, key=lambda step: step["startTime"])] == ["load", "report"]


def test_a_failing_task_turns_its_table_red(server: Server) -> None:
    run_id = server.launch("fails")
    assert server.wait(run_id) == "FAILURE"
    checks = server.graphql(
        """{ assetNodes(assetKeys: [{path: ["fails"]}]) { assetChecksOrError { ... on AssetChecks { checks { name
             executionForLatestMaterialization { status evaluation { success description } } } } } } }"""
    )["assetNodes"][0]["assetChecksOrError"]["checks"]
    assert [(check["name"], check["executionForLatestMaterialization"]["status"]) for check in checks] == [
        ("last_run", "FAILED")
    ]
    assert "no data today" in checks[0]["executionForLatestMaterialization"]["evaluation"]["description"]


def test_an_asset_links_back_to_its_line_in_the_task_file(server: Server) -> None:
    entries = server.graphql(
        """{ assetNodes(assetKeys: [{path: ["load"]}]) { metadataEntries { label ... on CodeReferencesMetadataEntry {
             codeReferences { ... on LocalFileCodeReference { filePath lineNumber label } } } } } }"""
    )["assetNodes"][0]["metadataEntries"]
    reference = next(entry for entry in entries if entry["label"] == "dagster/code_references")["codeReferences"][0]
    line = (server.folder.root / "tasks.yaml").read_text(encoding="utf-8").splitlines().index("  - task_id: load") + 1
    assert reference["filePath"] == str(server.folder.root / "tasks.yaml")
    assert reference["lineNumber"] == line


def test_a_schedule_fires_by_itself(server: Server) -> None:
    def runs() -> list[dict[str, str]]:
        found = server.graphql(
            '{ runsOrError(filter: {pipelineName: "tick"}) { ... on Runs { results { runId status } } } }'
        )
        return found["runsOrError"]["results"]

    fired = wait_for(runs, 90, "a tick of a schedule that fires every minute")
    assert server.wait(fired[0]["runId"]) == "SUCCESS"


def test_a_run_stopped_in_the_ui_leaves_no_process(server: Server) -> None:
    run_id = server.launch("slow_one")
    wait_for(lambda: server.status(run_id) == "STARTED", 60, "the start of the slow task")
    server.graphql("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
    assert server.wait(run_id, 30) == "CANCELED"


def test_history_and_stats_agree_with_what_ran(server: Server) -> None:
    server.wait(server.launch("fails"))
    newest = server.folder.json("history", "fails")[0]
    assert newest["status"] == "failed"
    assert "no data today" in newest["error_message"]
    stats = server.folder.json("stats", "fails")["fails"]
    assert stats["success_rate"] == 0
    assert stats["failed_count"] == stats["total_executions"] >= 1
    assert set(stats) >= {"task_id", "task_name", "avg_duration", "last_execution_time", "last_status", "success_count"}


def test_mystocks_run_goes_through_the_daemon_and_ends_with_the_works_exit_code(server: Server) -> None:
    assert "in the daemon's queue" in server.folder.mystocks("run", "report", code=0)
    assert "no data today" in server.folder.mystocks("run", "fails", code=1)


def test_what_a_task_printed_is_kept_and_readable(server: Server) -> None:
    run_id = server.launch("load", {"ops": {"load": {"config": {"rows": 41}}}})
    server.wait(run_id)
    logged = [one for one in server.folder.json("history", "load") if one["run_id"] == run_id]
    assert "to stdout 41" in Path(logged[0]["log_path"]).read_text(encoding="utf-8")


def test_the_terminal_shows_what_was_started_and_not_each_look_that_found_nothing(server: Server) -> None:
    def skipped() -> bool:
        selector = (
            '{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "system__sensor"}'
        )
        query = "... on Sensor { sensorState { ticks(limit: 9) { status } } }"
        sensor = server.graphql(f"{{ sensorOrError(sensorSelector: {selector}) {{ {query} }} }}")["sensorOrError"]
        return any(tick["status"] == "SKIPPED" for tick in sensor["sensorState"]["ticks"])

    def terminal() -> str:
        return (server.folder.root / "ui.log").read_text(encoding="utf-8")

    wait_for(skipped, 60, "a look that found nothing to do")
    wait_for(lambda: "Completed scheduled launch of run" in terminal(), 90, "a start by the schedule")
    assert f"MyStocks is at {server.address}" in terminal()
    assert not [line for line in terminal().splitlines() if "Checking for" in line or "Evaluating" in line]


def test_the_log_of_the_servers_in_a_file_has_no_codes_of_colours(server: Server) -> None:
    log = server.folder.root / "ui.log"
    wait_for(lambda: "dagster.daemon" in log.read_text(encoding="utf-8"), 60, "a line of Dagster")
    assert "\x1b" not in log.read_text(encoding="utf-8")
