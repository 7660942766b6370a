"""A restart of the web UI and the daemon loses nothing: history, statistics, switches, schedules, what once has
fired."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.project import Folder, Server, make_folder, serve, wait_for

from mystocks_dagster.project.project import Project
from mystocks_dagster.settings import Settings

TASKS = """
    task_packages: [quick]
    defaults: {task_module: quick, task_function: work}
    tasks:
      - {task_id: good, task_type: data_sync}
      - {task_id: bad, task_type: manual, task_function: fail}
      - {task_id: beat, task_type: cron, schedule: {schedule_type: interval, interval_seconds: 5}}
      - {task_id: daily, task_type: cron, schedule: {schedule_type: cron, cron_expression: "0 3 * * *"}}
      - {task_id: rests, task_type: cron, schedule: {schedule_type: interval, interval_seconds: 5, enabled: false}}
"""
QUICK = """
    def work(params):
        print("worked")
        return {"rows": 3}

    def fail(params):
        raise RuntimeError("no luck")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = make_folder(tmp_path_factory.mktemp("restart") / "project")
    folder.write("tasks.yaml", TASKS)
    folder.write("quick.py", QUICK)
    return folder


@pytest.fixture(scope="module")
def remembered(folder: Folder) -> dict[str, Any]:
    """Run some tasks, turn some switches, and return what was told of them before the servers stopped."""
    with serve(folder) as server, opened(folder) as project:
        for job in ("good", "bad"):
            server.wait(server.launch(job))
        wait_for(lambda: runs(server, "beat"), 60, "a run by the interval")
        for name in ("beat", "daily"):
            project.schedules.switch(name, False)
        wait_for(
            lambda: not runs(server, "beat", ["QUEUED", "STARTING", "STARTED"]), 60, "the end of the interval's runs"
        )
        return told(project) | {"ui": switches(server)}


@pytest.fixture(scope="module")
def server(folder: Folder, remembered: dict[str, Any]) -> Iterator[Server]:
    assert remembered
    (folder.root / ".dagster" / "ui.json").unlink(missing_ok=True)
    with serve(folder) as server:
        yield server


@contextmanager
def opened(folder: Folder) -> Iterator[Project]:
    """Open the project as its commands do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.root)
        patch.syspath_prepend(str(folder.root))
        patch.setenv("DAGSTER_HOME", str(folder.root / ".dagster"))
        project = Project(Settings.from_env())
        with project.instance:
            yield project


def told(project: Project) -> dict[str, Any]:
    return {
        "history": [one.to_json() for one in project.history.executions()],
        "stats": {name: one.to_json() for name, one in project.history.statistics().items()},
        "switches": {name: str(one) for name, one in project.schedules.switches().items()},
    }


def runs(server: Server, job: str, statuses: list[str] | None = None) -> list[str]:
    query = "query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results { runId } } } }"
    condition = {"pipelineName": job, **({"statuses": statuses} if statuses else {})}
    return [run["runId"] for run in server.graphql(query, filter=condition)["runsOrError"]["results"]]


def switches(server: Server) -> dict[str, tuple[str, str, bool]]:
    """Return of each schedule what the UI shows: its switch, what the file says, and whether it can be reset to
    that."""
    found = server.graphql(
        """{ repositoryOrError(repositorySelector: {repositoryLocationName: "mystocks",
            repositoryName: "__repository__"}) {
             ... on Repository { schedules { name defaultStatus canReset scheduleState { status } }
                                 sensors { name defaultStatus canReset sensorState { status } } } } }"""
    )["repositoryOrError"]
    every = [(one, one["scheduleState"]) for one in found["schedules"]] + [
        (one, one["sensorState"]) for one in found["sensors"]
    ]
    return {
        one["name"].removesuffix("__schedule"): (state["status"], one["defaultStatus"], one["canReset"])
        for one, state in every
        if one["name"].endswith("__schedule") and one["name"] != "refresh_calendar__schedule"  # the project's own
    }


def test_what_ran_and_what_was_switched_is_told(remembered: dict[str, Any]) -> None:
    assert {name: one["success_rate"] for name, one in remembered["stats"].items() if name in ("good", "bad")} == {
        "good": 100,
        "bad": 0,
    }
    assert remembered["switches"] == {"beat": "off, file: on", "daily": "off, file: on", "rests": "off"}


def test_where_switch_and_file_differ_the_ui_shows_both(server: Server) -> None:
    assert switches(server) == {
        "beat": ("STOPPED", "RUNNING", True),
        "daily": ("STOPPED", "RUNNING", True),
        "rests": ("STOPPED", "STOPPED", False),
    }


def test_history_statistics_and_switches_are_what_they_were(server: Server, remembered: dict[str, Any]) -> None:
    with opened(server.folder) as project:
        after = told(project)
    assert {key: remembered[key] for key in after} == after
    assert switches(server) == remembered["ui"]


def test_a_schedule_that_is_resumed_after_the_restart_goes_on(server: Server) -> None:
    before = runs(server, "beat")
    with opened(server.folder) as project:
        project.schedules.switch("beat", None)
        wait_for(lambda: set(runs(server, "beat")) - set(before), 60, "a run by the interval")
        project.schedules.switch("beat", False)
