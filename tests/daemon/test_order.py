"""In which order the tasks of a run start, and which do not: dependencies, groups, failures, disabled groups, broken
tasks."""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from support.project import Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [noted]
    defaults: {task_type: manual, task_module: noted, task_function: note}
    tasks:
      - {task_id: source}
      - {task_id: middle, dependencies: [source]}
      - {task_id: last, dependencies: [middle]}
      - {task_id: needs-failure, dependencies: [fails]}
      - {task_id: fails, task_function: fail}
      - {task_id: fails_softly, task_function: fail, stop_on_error: false}
      - {task_id: after}
      - {task_id: skips, task_function: skip}
      - {task_id: meets_one, task_function: meet, params: {other: meets_two}}
      - {task_id: meets_two, task_function: meet, params: {other: meets_one}}
      - {task_id: at_leisure, priority: batch}
      - {task_id: as_usual}
      - {task_id: soon, priority: high}
      - {task_id: at_once, priority: critical}
      - {task_id: tagged-one, tags: [收盘, daily]}
      - {task_id: tagged_two, tags: [daily, 收盘]}
      - {task_id: misspelt, task_function: nite}
      - {task_id: needs_misspelt, dependencies: [misspelt]}
    task_groups:
      - {group_id: stops, tasks: [fails, after]}
      - {group_id: goes_on, tasks: [fails_softly, skips, after]}
      - {group_id: in_turn, tasks: [meets_one, meets_two]}
      - {group_id: together, tasks: [meets_one, meets_two], execution_mode: parallel}
      - {group_id: crowded, tasks: [at_leisure, as_usual, soon, at_once], execution_mode: parallel}
      - {group_id: listed, tasks: [at_leisure, at_once]}
      - {group_id: off-group, tasks: [after], enabled: false}
      - group_id: off_by_schedule
        tasks: [after]
        enabled: false
        schedule: {schedule_type: interval, interval_seconds: 5}
      - {group_id: without_the_broken, tasks: [misspelt, after], execution_mode: parallel}
      - {group_id: only_broken, tasks: [misspelt]}
"""
#: Each task writes down that it runs; two that meet wait for each other, which only those that overlap can see.
NOTED = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def note(params, run):
        with (HERE / f"{run.run_id}.order").open("a") as order:
            order.write(run.task_id + chr(10))

    def fail(params, run):
        note(params, run)
        return {"status": "failed", "error": "it failed"}

    def skip(params, run):
        note(params, run)
        return {"status": "skipped", "message": "nothing to do today"}

    def meet(params, run):
        note(params, run)
        deadline = time.monotonic() + params.get("patience", 60)
        while time.monotonic() < deadline:
            if params["other"] in (HERE / f"{run.run_id}.order").read_text():
                return {"met": True}
            time.sleep(0.05)
        return {"status": "failed", "error": "the other one is not there"}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = make_folder(tmp_path_factory.mktemp("order") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("noted.py", NOTED)
    with serve(folder) as server:
        yield server


def order(server: Server, run_id: str) -> list[str]:
    """Return the tasks of a run in the order in which their functions were called."""
    path = server.folder.root / f"{run_id}.order"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def ran(server: Server, job: str, config: dict[str, Any] | None = None) -> tuple[str, list[str]]:
    """Launch a job in the UI and return how its run ended and which tasks ran."""
    run_id = server.launch(job, config)
    return server.wait(run_id), order(server, run_id)


def runs(server: Server, **condition: Any) -> list[dict[str, Any]]:
    query = (
        "query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results { runId jobName status }"
        " } } }"
    )
    return server.graphql(query, filter=condition)["runsOrError"]["results"]


def test_dependencies_run_first_in_the_same_run(server: Server) -> None:
    assert ran(server, "last") == ("SUCCESS", ["source", "middle", "last"])


def test_only_leaves_the_dependencies_out(server: Server) -> None:
    told = server.folder.mystocks("run", "last", "--only")
    run_id = re.findall(r"run ([0-9a-f-]{36})", told)[0]
    assert order(server, run_id) == ["last"]


def test_a_task_never_starts_before_its_dependencies_have_succeeded(server: Server) -> None:
    assert ran(server, "needs_failure") == ("FAILURE", ["fails"])


def test_stop_on_error_keeps_the_later_tasks_of_a_group_from_starting(server: Server) -> None:
    assert ran(server, "stops") == ("FAILURE", ["fails"])


def test_without_stop_on_error_the_later_tasks_run_and_the_run_has_failed_all_the_same(server: Server) -> None:
    assert ran(server, "goes_on") == ("FAILURE", ["fails_softly", "skips", "after"])
    statuses = {one["task_id"]: one["status"] for one in server.folder.json("history", "--limit", "3")}
    assert statuses == {"fails_softly": "failed", "skips": "skipped", "after": "success"}


def test_the_tasks_of_a_parallel_group_overlap(server: Server) -> None:
    status, tasks = ran(server, "together")
    assert (status, set(tasks)) == ("SUCCESS", {"meets_one", "meets_two"})


def test_the_tasks_of_a_sequential_group_do_not_overlap(server: Server) -> None:
    # The first one waits for the second in vain.
    config = {"ops": {"meets_one": {"config": {"other": "meets_two", "patience": 3}}}}
    assert ran(server, "in_turn", config) == ("FAILURE", ["meets_one"])


def test_in_a_parallel_group_the_most_urgent_task_starts_first_when_slots_are_few(server: Server) -> None:
    config = {"execution": {"config": {"max_concurrent": 1}}}
    assert ran(server, "crowded", config) == ("SUCCESS", ["at_once", "soon", "as_usual", "at_leisure"])


def test_in_a_sequential_group_the_order_of_the_file_counts_whatever_the_priority(server: Server) -> None:
    assert ran(server, "listed") == ("SUCCESS", ["at_leisure", "at_once"])


def test_a_disabled_group_is_refused_by_the_command_with_the_remedy(server: Server) -> None:
    told = server.folder.mystocks("run", "off-group", code=1)
    assert "disabled" in told
    assert "--force" in told
    assert "mystocks edit" in told
    assert runs(server, pipelineName="off_group") == []


def test_a_disabled_group_is_refused_in_the_ui_with_the_remedy(server: Server) -> None:
    with pytest.raises(HTTPError) as refused:
        server.launch("off_group")
    told = json.load(refused.value)["data"]["launchRun"]["message"]
    assert "off_group is disabled in the task file" in told
    assert "in the Launchpad: the tag mystocks/force" in told
    [run] = runs(server, pipelineName="off_group")
    assert run["status"] == "FAILURE"
    assert order(server, run["runId"]) == []


def test_a_disabled_group_runs_when_it_is_forced(server: Server) -> None:
    assert "after" in server.folder.mystocks("run", "off-group", "--force")


def test_a_disabled_group_does_not_run_by_its_schedule_until_a_person_switches_it_on(server: Server) -> None:
    selector = (
        '{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName:'
        ' "off_by_schedule__schedule"}'
    )
    # It has been off since the servers started, many intervals ago.
    assert runs(server, pipelineName="off_by_schedule") == []
    server.graphql(f"mutation {{ startSensor(sensorSelector: {selector}) {{ __typename }} }}")
    done = wait_for(
        lambda: runs(server, pipelineName="off_by_schedule", statuses=["SUCCESS"]),
        60,
        "a run by the switched-on schedule",
    )
    assert order(server, done[0]["runId"]) == ["after"]
    server.folder.mystocks("disable", "off_by_schedule")


def test_one_filter_by_a_tag_in_any_language_finds_the_runs_of_all_tasks_that_have_it(server: Server) -> None:
    for job in ("tagged_one", "tagged_two"):
        ran(server, job)
    tags = '{ runsOrError(filter: {pipelineName: "tagged_one"}) { ... on Runs { results { tags { key value } } } } }'
    [run] = server.graphql(tags)["runsOrError"]["results"]
    labels = {tag["value"]: tag for tag in run["tags"] if tag["key"].startswith("mystocks/tag.")}
    assert set(labels) == {"收盘", "daily"}
    for tag in labels.values():
        assert {run["jobName"] for run in runs(server, tags=[tag])} == {"tagged_one", "tagged_two"}


def test_the_command_lists_tasks_by_tag_and_by_type(server: Server) -> None:
    assert [task["task_id"] for task in server.folder.json("list", "--tag", "收盘")] == ["tagged-one", "tagged_two"]
    assert server.folder.json("list", "--type", "market_fetch") == []


def test_the_ui_shows_which_version_of_the_file_is_loaded_and_since_when(server: Server) -> None:
    told = server.graphql(
        """{ workspaceLocationEntryOrError(name: "mystocks") { ... on WorkspaceLocationEntry { updatedTimestamp } }
             pipelineOrError(params: {repositoryLocationName: "mystocks", repositoryName: "__repository__",
                 pipelineName: "source"}) {
               ... on Pipeline { tags { key value } } } }"""
    )
    text = (server.folder.root / "tasks.yaml").read_bytes()
    tags = {tag["key"]: tag["value"] for tag in told["pipelineOrError"]["tags"]}
    assert hashlib.sha256(text).hexdigest().startswith(tags["dagster/mystocks_taskfile"])
    assert 0 < time.time() - told["workspaceLocationEntryOrError"]["updatedTimestamp"] < 3600


def test_broken_tasks_are_jobs_that_say_why_and_the_others_run(server: Server) -> None:
    told = server.graphql(
        """{ repositoryOrError(repositorySelector: {repositoryLocationName: "mystocks",
            repositoryName: "__repository__"}) {
             ... on Repository { jobs { name description } } } }"""
    )["repositoryOrError"]["jobs"]
    broken = {job["name"]: job["description"] for job in told if (job["description"] or "").startswith("BROKEN")}
    assert set(broken) == {"misspelt", "needs_misspelt", "only_broken"}
    line = TASKS.splitlines().index("      - {task_id: misspelt, task_function: nite}") + 1
    assert f"tasks.yaml:{line}:" in broken["misspelt"]
    assert "Did you mean 'note'" in broken["misspelt"]
    assert "needs 'misspelt', which is broken" in broken["needs_misspelt"]
    assert ran(server, "misspelt") == ("FAILURE", [])
    assert ran(server, "without_the_broken") == ("SUCCESS", ["after"])
