"""`max_instances` counts a task's executions however they were started: ticks skip, commands are refused, steps
wait."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.project import Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [held]
    defaults: {task_type: manual, task_module: held, task_function: hold}
    tasks:
      - {task_id: single}
      - {task_id: ticking, task_type: cron, schedule: {schedule_type: interval, interval_seconds: 5, enabled: false}}
      - {task_id: table, task_type: data_sync}
      - {task_id: double, max_instances: 2}
      - {task_id: after, dependencies: [single]}
    task_groups:
      - {group_id: holding, tasks: [ticking, single]}
"""
HELD = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def hold(params, run):
        mark = HERE / f"{run.task_id}.{run.run_id}"
        mark.touch()
        while not (HERE / f"{run.task_id}.go").exists():
            time.sleep(0.1)
        mark.unlink()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("instances") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("held.py", HELD)
    with serve(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def _one_test_at_a_time(server: Server) -> Iterator[None]:
    """Let everything end before the next test."""
    yield
    for task in ("single", "ticking", "table", "double", "after"):
        release(server, task)
    wait_for(lambda: not unfinished(server), 60, "the end of all runs")
    for path in server.folder.root.glob("*.go"):
        path.unlink()


def unfinished(server: Server) -> list[str]:
    query = (
        "{ runsOrError(filter: {statuses: [QUEUED, STARTING, STARTED, CANCELING]}) { ... on Runs { results { runId }"
        " } } }"
    )
    return [run["runId"] for run in server.graphql(query)["runsOrError"]["results"]]


def release(server: Server, task: str) -> None:
    (server.folder.root / f"{task}.go").touch()


def holding(server: Server, task: str) -> set[str]:
    """Return the runs in which the task's function is being executed."""
    return {path.suffix[1:] for path in server.folder.root.glob(f"{task}.*") if path.suffix != ".go"}


def held(server: Server, task: str, *run_ids: str) -> None:
    wait_for(lambda: holding(server, task) >= set(run_ids), 60, f"{task} in {run_ids}")


def waits_for_pool(server: Server, run_id: str) -> bool:
    """Say whether the run waits: in the queue, or with a step that says that it has no slot."""
    query = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent {
        message } } } } }"""
    events = server.graphql(query, id=run_id)["logsForRun"]["events"]
    return server.status(run_id) == "QUEUED" or any("blocked" in (event.get("message") or "") for event in events)


def test_mystocks_run_is_refused_with_the_id_of_what_runs(server: Server) -> None:
    run_id = server.launch("single")
    held(server, "single", run_id)
    told = server.folder.mystocks("run", "single", code=1)
    assert f"{run_id}:single" in told


def test_a_tick_is_skipped_while_the_task_runs_in_a_group_and_names_that_run(server: Server) -> None:
    run_id = server.launch("holding")
    held(server, "ticking", run_id)
    selector = '{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "ticking__schedule"}'
    server.graphql(f"mutation {{ startSensor(sensorSelector: {selector}) {{ __typename }} }}")

    def skipped() -> list[str]:
        query = "... on Sensor { sensorState { ticks(limit: 9) { skipReason } } }"
        ticks = server.graphql(f"{{ sensorOrError(sensorSelector: {selector}) {{ {query} }} }}")["sensorOrError"][
            "sensorState"
        ]["ticks"]
        return [tick["skipReason"] for tick in ticks if "already running" in (tick["skipReason"] or "")]

    try:
        assert f"{run_id}:ticking" in wait_for(skipped, 30, "a skipped tick")[0]
        assert unfinished(server) == [run_id]
        release(server, "ticking")
        # The next tick after its end starts it, although the group's run goes on.
        held(server, "single", run_id)
        wait_for(lambda: [run for run in runs_of(server, "ticking") if run != run_id], 40, "a run by the tick")
    finally:
        state = f"{{ sensorOrError(sensorSelector: {selector}) {{ ... on Sensor {{ id }} }} }}"
        sensor = server.graphql(state)["sensorOrError"]["id"]
        server.graphql("mutation($id: String!) { stopSensor(id: $id) { __typename } }", id=sensor)


def runs_of(server: Server, job: str) -> list[str]:
    found: Any = server.graphql(
        "query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId } } } }",
        job=job,
    )
    return [run["runId"] for run in found["runsOrError"]["results"]]


@pytest.mark.parametrize("second", ["single", "after"], ids=["a run of its own", "as a dependency"])
def test_a_run_from_the_ui_waits_until_the_first_has_ended(server: Server, second: str) -> None:
    first = server.launch("single")
    held(server, "single", first)
    later = server.launch(second)
    wait_for(lambda: waits_for_pool(server, later), 30, "the second run's waiting")
    assert holding(server, "single") == {first}
    release(server, "single")
    release(server, "after")
    assert [server.wait(run) for run in (first, later)] == ["SUCCESS", "SUCCESS"]


def test_two_may_run_at_once_when_the_file_says_two_and_the_third_waits(server: Server) -> None:
    first, second = server.launch("double"), server.launch("double")
    held(server, "double", first, second)
    third = server.launch("double")
    wait_for(lambda: waits_for_pool(server, third), 30, "the third run's waiting")
    assert holding(server, "double") == {first, second}
    assert re.search(
        f"{first}:double.*max_instances: 2", server.folder.mystocks("run", "double", code=1).replace("\n", " ")
    )
    (stop,) = re.findall(r"`mystocks stop ([^`]+)`", server.folder.mystocks("run", "double", code=1).replace("\n", ""))
    assert first in stop  # the oldest of them
    server.folder.mystocks("stop", stop)
    held(server, "double", second, third)
