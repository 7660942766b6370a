"""Supervisor tasks under the real daemon: kept alive, restarted, stopped, and never two of them."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.daemon import kill_workers
from support.processes import running
from support.project import Folder, Server, make_folder, serve, wait_for

TASKS = f"""
    task_packages: [watched]
    defaults: {{task_type: supervisor, task_module: watched}}
    tasks:
      - {{task_id: beat, task_function: beat, auto_restart: true}}
      - task_id: command
        task_module: mystocks_dagster.tasks.process
        task_function: run_command
        params: {{command: [{sys.executable}, -u, command.py]}}
"""
MORE = """
      - {task_id: crashes, task_function: crash, auto_restart: true}
      - {task_id: ends, task_function: end}
"""
COMMAND = """
    import os
    import time

    with open("command.pids", "a") as pids:
        pids.write(f"{os.getpid()}" + chr(10))
    print("from the command")
    time.sleep(600)
"""
WATCHED = """
    import os
    import subprocess
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def beat(params):
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        with (HERE / "beat.pids").open("a") as pids:
            pids.write(f"{os.getpid()} {child.pid}" + chr(10))
        while True:
            print("beat", flush=True)
            time.sleep(0.5)

    def crash(params):
        raise RuntimeError("it crashed")

    def end(params):
        return {"status": "success"}
"""


class Watch:
    """The project, and the servers over it."""

    def __init__(self, folder: Folder) -> None:
        self.folder, self.stack = folder, ExitStack()

    def up(self) -> None:
        self.server: Server = self.stack.enter_context(serve(self.folder))

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Return the job's runs, the oldest first."""
        query = """query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results {
                   runId status startTime endTime tags { key value } } } } }"""
        found = self.server.graphql(query, job=job)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in reversed(found)]

    def processes(self, task: str) -> list[list[int]]:
        """Return the processes of each start of the task, the oldest first."""
        path = self.folder.root / f"{task}.pids"
        return (
            [[int(pid) for pid in line.split()] for line in path.read_text(encoding="utf-8").splitlines()]
            if path.exists()
            else []
        )

    def started(self, task: str, times: int) -> list[int]:
        """Wait for the task's start of that number and return its processes."""
        return wait_for(lambda: len(found := self.processes(task)) >= times and found, 60, f"start {times} of {task}")[
            times - 1
        ]

    def last_look(self, task: str, since: float) -> str | None:
        """Return what the task's sensor said last, if it has looked since then."""
        selector = (
            f'{{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "{task}__schedule"}}'
        )
        query = f"{{ sensorOrError(sensorSelector: {selector}) {{ ... on Sensor {{ sensorState {{ ticks(limit: 1) "
        ticks = self.server.graphql(query + "{ timestamp skipReason } } } } }")["sensorOrError"]["sensorState"]["ticks"]
        return next((tick["skipReason"] for tick in ticks if tick["timestamp"] > since), None)

    def switch(self, task: str, on: bool) -> None:
        """Turn the task's switch in the UI."""
        selector = (
            f'{{repositoryLocationName: "mystocks", repositoryName: "__repository__", sensorName: "{task}__schedule"}}'
        )
        if on:
            self.server.graphql(f"mutation {{ startSensor(sensorSelector: {selector}) {{ __typename }} }}")
        else:
            found = self.server.graphql(f"{{ sensorOrError(sensorSelector: {selector}) {{ ... on Sensor {{ id }} }} }}")
            self.server.graphql(
                "mutation($id: String!) { stopSensor(id: $id) { __typename } }", id=found["sensorOrError"]["id"]
            )


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = make_folder(tmp_path_factory.mktemp("watch") / "project")
    folder.write("tasks.yaml", TASKS + MORE)
    folder.write("watched.py", WATCHED)
    folder.write("command.py", COMMAND)
    watch = Watch(folder)
    watch.up()
    yield watch
    watch.stack.close()
    kill_workers(folder)


def output(watch: Watch, task: str) -> str:
    path = watch.folder.json("history", task)[0]["log_path"]
    return Path(path).read_text(encoding="utf-8") if path else ""


def test_what_is_enabled_is_started_and_its_output_is_in_the_runs_logs_while_it_runs(watch: Watch) -> None:
    watch.started("beat", 1)
    watch.started("command", 1)
    assert "from the command" in wait_for(lambda: output(watch, "command"), 30, "its output")
    assert "beat" in output(watch, "beat")
    assert [run["status"] for run in watch.runs("beat")] == ["STARTED"]


def test_one_that_dies_is_started_again_and_counted(watch: Watch) -> None:
    first = watch.started("beat", 1)
    os.kill(first[0], signal.SIGKILL)
    watch.started("beat", 2)
    assert running(first) == []
    assert [run["tags"]["mystocks/restarts"] for run in watch.runs("beat")] == ["0", "1"]


def test_one_that_crashes_at_once_is_started_again_ever_more_slowly(watch: Watch) -> None:
    runs = wait_for(
        lambda: len(found := [run for run in watch.runs("crashes") if run["startTime"]]) >= 3 and found, 60, "restarts"
    )[:3]
    pauses = [later["startTime"] - before["endTime"] for before, later in pairwise(runs)]
    assert pauses[0] >= 5
    assert pauses[1] >= 10
    assert [run["tags"]["mystocks/restarts"] for run in runs] == ["0", "1", "2"]


def test_one_without_auto_restart_that_ends_stays_ended(watch: Watch) -> None:
    # By now its sensor has looked many times.
    assert [run["status"] for run in watch.runs("ends")] == ["SUCCESS"]


def test_a_restarted_daemon_finds_the_running_copy(watch: Watch) -> None:
    before = watch.processes("beat")
    watch.stack.close()
    assert running(before[-1])
    cut = time.time()
    watch.up()
    told = wait_for(lambda: watch.last_look("beat", cut), 60, "a look by the new daemon")
    assert f"already running: {watch.runs('beat')[-1]['runId']}" in told
    assert re.match(r"alive for \d+:\d\d:\d\d, restarted 1 times in a row: ", told)
    assert watch.processes("beat") == before


def test_switching_off_stops_it_with_all_it_started_and_switching_on_starts_it(watch: Watch) -> None:
    before = watch.processes("beat")
    watch.switch("beat", on=False)
    wait_for(lambda: not running(before[-1]), 40, "the end of its processes")
    wait_for(lambda: watch.runs("beat")[-1]["status"] == "CANCELED", 20, "the end of its run")
    watch.switch("beat", on=True)
    assert watch.started("beat", len(before) + 1)


def test_one_removed_from_the_file_is_stopped(watch: Watch) -> None:
    last = watch.processes("command")[-1]
    watch.folder.write("tasks.yaml", TASKS[: TASKS.index("      - task_id: command")])
    watch.server.graphql('mutation { reloadRepositoryLocation(repositoryLocationName: "mystocks") { __typename } }')
    wait_for(lambda: not running(last), 100, "the end of its process")
    assert running(watch.processes("beat")[-1])
