"""One history however a task ran, and a clean-up under a real daemon: catalog, sensors, statistics and lake stay what
they were."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from support.project import Server, make_folder, serve, wait_for

from mystocks_dagster.market.clock import now

TASKS = """
    task_packages: [quick]
    tasks:
      - task_id: daily_data_sync
        task_type: cron
        task_module: app.tasks.data_sync
        task_function: sync_daily_stock_data
      - task_id: opening
        task_type: cron
        task_module: quick
        task_function: nothing
        schedule: {{schedule_type: once, start_time: "{due}"}}
    task_groups:
      - {{group_id: evening, tasks: [daily_data_sync, opening]}}
"""
QUICK = "def nothing(params): return None\n"
STATE = """{
  assetNodes(assetKeys: [{path: ["daily_bars"]}]) { partitionStats { numMaterialized numFailed }
    assetMaterializations(limit: 1) { timestamp partition metadataEntries { label } }
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } }
  sensorOrError(sensorSelector: {repositoryLocationName: "mystocks", repositoryName: "__repository__",
      sensorName: "opening__schedule"}) {
    ... on Sensor { sensorState { status typeSpecificData { ... on SensorData { lastCursor lastRunKey } } } } } }"""
TICK = """{ sensorOrError(sensorSelector: {
    repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "opening__schedule"}) {
    ... on Sensor { sensorState { ticks(limit: 1) { timestamp status skipReason } } } } }"""
RUNS = "{ runsOrError { ... on Runs { results { runId pipelineName status stepStats { stepKey } } } } }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("cleanup") / "project")
    folder.write("tasks.yaml", TASKS.format(due=now().replace(microsecond=0).isoformat()))
    folder.write("quick.py", QUICK)
    folder.env |= {"MYSTOCKS_SOURCE": "simulated", "MYSTOCKS_SIMULATED": "symbols=20,start=2026-11-09"}
    with serve(folder) as server:
        yield server


def runs(server: Server) -> list[dict[str, Any]]:
    return server.graphql(RUNS)["runsOrError"]["results"]


def ended(server: Server, count: int) -> bool:
    statuses = [run["status"] for run in runs(server)]
    return len(statuses) >= count and set(statuses) <= {"SUCCESS", "FAILURE"}


def tables(server: Server) -> list[str]:
    """Return the names of what the task writes: all or none can be materialized."""
    return [
        node["assetKey"]["path"][0]
        for node in server.graphql("{ assetNodes { assetKey { path } isExecutable groupName } }")["assetNodes"]
        if node["isExecutable"] and node["groupName"] != "system"
    ]


def backfill(server: Server, days: list[str]) -> None:
    told = server.graphql(
        """mutation($days: [String!]!, $keys: [AssetKeyInput!]) { launchPartitionBackfill(backfillParams: {
             assetSelection: $keys, partitionNames: $days
           }) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
        days=days,
        keys=[{"path": [table]} for table in tables(server)],
    )["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told


def lake(server: Server) -> dict[str, str]:
    root = server.folder.root / "data"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_every_way_to_run_is_in_one_history_and_a_cleanup_leaves_what_stands_on_it(server: Server) -> None:
    wait_for(lambda: ended(server, 1), 120, "the run of the once schedule")
    folder = server.folder
    folder.mystocks("run", "daily_data_sync", timeout=180)
    server.wait(server.launch("evening"), 180)
    server.materialize(*tables(server), day="2026-11-16")
    backfill(server, ["2026-11-12", "2026-11-13"])
    # Asset jobs of consecutive partitions are one run or two, as Dagster likes.
    wait_for(lambda: ended(server, 5), 240, "the materialization and the backfill")
    all_steps = [step["stepKey"] for run in runs(server) for step in run["stepStats"]]
    # What checks the tables after Materialize and a backfill is no execution of a task.
    steps = [step for step in all_steps if not step.endswith("__check")]
    assert "daily_bars__check" in all_steps
    assert {"daily_data_sync", "daily_data_sync__asset", "opening"} == set(steps)

    statistics, files, state = folder.json("stats"), lake(server), server.graphql(STATE)
    assert statistics["daily_data_sync"]["total_executions"] == len(steps) - steps.count("opening")
    assert statistics["opening"]["total_executions"] == steps.count("opening") == 2
    assert len(folder.json("history", "--limit", "100")) == len(steps)
    assert state["assetNodes"][0]["partitionStats"]["numMaterialized"] >= 5
    assert files

    before = {run["runId"] for run in runs(server)}
    folder.env["MYSTOCKS_NOW"] = (now() + timedelta(days=40)).isoformat()
    cleaned = folder.json("cleanup", "--days", "30")
    del folder.env["MYSTOCKS_NOW"]

    left = {run["runId"] for run in runs(server)}
    assert cleaned["runs"] == len(before - left) >= len(before) - 2
    assert cleaned["ticks"] > 0
    assert cleaned["bytes_freed"] > 0
    assert not [run_id for run_id in before - left if (folder.root / ".dagster" / "storage" / run_id).exists()]
    assert server.graphql(STATE) == state
    assert folder.json("stats") == statistics
    assert folder.json("stats", "--rebuild") == statistics
    assert lake(server) == files

    seen = server.graphql(TICK)["sensorOrError"]["sensorState"]["ticks"][0]["timestamp"]
    tick = wait_for(
        lambda: (told := _later_tick(server, seen)) and told, 60, "the daemon's next look at the once schedule"
    )
    assert tick["status"] == "SKIPPED"
    assert "done: it was due once" in tick["skipReason"]
    assert not [run for run in runs(server) if run["runId"] not in left]
    assert server.wait(server.launch("opening"), 180) == "SUCCESS", "work goes on"
    assert folder.json("stats")["opening"]["total_executions"] == 3


def _later_tick(server: Server, seen: float) -> dict[str, Any] | None:
    tick = server.graphql(TICK)["sensorOrError"]["sensorState"]["ticks"][0]
    return tick if tick["timestamp"] > seen and tick["status"] != "STARTED" else None
