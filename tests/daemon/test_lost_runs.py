"""Runs whose process was killed, alone or with everything else as by a power cut: failed, slots free, started again
once."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from support.processes import is_running, running, stop_and_kill
from support.project import Folder, Server, make_folder, serve, wait_for

TASKS = """
    task_packages: [held]
    defaults: {task_type: manual, task_module: held, task_function: hold}
    tasks:
      - {task_id: again, task_type: data_sync, auto_restart: true}
      - {task_id: never}
      - {task_id: first, auto_restart: true}
      - {task_id: fails, task_function: fail, auto_restart: true}
      - {task_id: starting, auto_restart: true}
      - {task_id: canceling, auto_restart: true}
    task_groups:
      - {group_id: both, tasks: [first, again]}
      - {group_id: mixed, tasks: [never, first]}
"""
#: A task writes down its process and waits for the file that lets it end.
HELD = """
    import os
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def hold(params, run):
        with (HERE / f"{run.task_id}.pids").open("a") as pids:
            pids.write(f"{os.getpid()} {run.run_id}" + chr(10))
        while not (HERE / f"{run.task_id}.go").exists():
            time.sleep(0.1)

    def fail(params):
        return {"status": "failed", "error": "an ordinary failure"}
"""
#: What the contract allows from the daemon's return to the run's end.
PROMISE = 120


@dataclass
class Plant:
    """A project and the servers over it, whose current can be cut."""

    folder: Folder
    stack: ExitStack = field(default_factory=ExitStack)

    def up(self) -> None:
        self.server: Server = self.stack.enter_context(serve(self.folder))

    def cut(self) -> None:
        """Kill everything at once: UI, daemon, code server, run workers, guards and bodies."""
        top = psutil.Process(self.server.process.pid)
        stop_and_kill([top, *top.children(recursive=True)])
        (self.folder.root / ".dagster" / "ui.json").unlink()
        self.stack.close()

    def runs(self, job: str) -> list[dict[str, Any]]:
        """Return the job's runs, the newest first."""
        query = """query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results {
                   runId status rootRunId tags { key value } } } } }"""
        return self.server.graphql(query, job=job)["runsOrError"]["results"]

    def executions(self, task: str) -> list[list[str]]:
        """Return process and run of each time that the task's function was called."""
        path = self.folder.root / f"{task}.pids"
        return [line.split() for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def held(self, task: str, run_id: str) -> int:
        """Wait until the task holds in that run, and return its process."""
        return int(
            wait_for(lambda: [pid for pid, run in self.executions(task) if run == run_id], 60, f"{task} in {run_id}")[0]
        )

    def release(self, task: str) -> None:
        (self.folder.root / f"{task}.go").touch()

    def worker(self, run_id: str) -> int | None:
        """Return the process that works on the run, once it is noted."""
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
        tags = {tag["key"]: tag["value"] for tag in self.server.graphql(query, id=run_id)["runOrError"]["tags"]}
        return json.loads(tags["dagster/mystocks_worker"])["pid"] if "dagster/mystocks_worker" in tags else None

    def kill_worker(self, run_id: str) -> None:
        pid = wait_for(lambda: self.worker(run_id), 30, "the note of the run's worker")
        os.kill(pid, signal.SIGKILL)

    def restarted(self, job: str, lost: str) -> str:
        """Wait until the lost run has failed and another stands for it, and return that one's id."""
        assert self.server.wait(lost, PROMISE) == "FAILURE"
        assert self.retried(job, lost)
        new = wait_for(
            lambda: [run for run in self.runs(job) if run["rootRunId"] == lost != run["runId"]], 30, "the new start"
        )
        return new[0]["runId"]

    def retried(self, job: str, run_id: str) -> bool:
        """Wait for the daemon's verdict on a failed run: is it started again?"""

        def verdict() -> str | None:
            run = next(run for run in self.runs(job) if run["runId"] == run_id)
            return {tag["key"]: tag["value"] for tag in run["tags"]}.get("dagster/will_retry")

        return wait_for(verdict, 30, f"the daemon's look at the failed run of {job}") == "true"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = make_folder(tmp_path_factory.mktemp("lost") / "project")
    text = (folder.root / "dagster.yaml").read_text(encoding="utf-8")
    # As shipped but for these two, so that the tests of runs that never started or stopped do not take a minute each.
    for name, shipped, short in (("start", 90, 20), ("cancel", 60, 5)):
        assert f"{name}_timeout_seconds: {shipped}" in text
        text = text.replace(f"{name}_timeout_seconds: {shipped}", f"{name}_timeout_seconds: {short}")
    folder.write("dagster.yaml", text)
    folder.write("tasks.yaml", TASKS)
    folder.write("held.py", HELD)
    plant = Plant(folder)
    plant.up()
    with plant.stack:
        yield plant


@pytest.fixture(scope="module")
def lost(plant: Plant) -> dict[str, str]:
    """Lose several runs at once, and return their ids by job."""
    ids = {
        "starting": lose_early(plant),
        **{job: plant.server.launch(job) for job in ("again", "mixed", "canceling", "fails")},
    }
    for job, task in {"again": "again", "mixed": "never", "canceling": "canceling"}.items():
        body = plant.held(task, ids[job])
        if job == "canceling":
            os.kill(
                wait_for(lambda: plant.worker(ids["canceling"]), 30, "the note of the run's worker"), signal.SIGSTOP
            )
            plant.server.graphql("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=ids[job])
        plant.kill_worker(ids[job])
        wait_for(lambda body=body: not is_running(body), 20, f"the end of the process of {task}")
    return ids


def lose_early(plant: Plant) -> str:
    """Kill the worker of a run before it has started its work, and return the run's id."""
    for _ in range(5):
        run_id = plant.server.launch("starting")
        pid = wait_for(lambda run_id=run_id: plant.worker(run_id), 30, "the note of the run's worker")
        os.kill(pid, signal.SIGSTOP)
        early = plant.server.status(run_id) == "STARTING"
        os.kill(pid, signal.SIGKILL)
        if early:
            return run_id
    raise AssertionError("the worker was never caught before its start")


def test_a_killed_worker_fails_its_run_frees_the_table_and_is_started_again_once(
    plant: Plant, lost: dict[str, str]
) -> None:
    second = plant.restarted("again", lost["again"])
    # The pool of its table was free again, or the second run could not have got this far.
    plant.held("again", second)
    plant.kill_worker(second)
    assert plant.server.wait(second, PROMISE) == "FAILURE"
    assert plant.retried("again", second) is False
    assert len(plant.runs("again")) == 2


def test_a_run_killed_before_it_had_started_does_not_stay_in_the_queue(plant: Plant, lost: dict[str, str]) -> None:
    plant.release("starting")
    assert plant.server.wait(plant.restarted("starting", lost["starting"])) == "SUCCESS"


def test_a_run_killed_while_it_was_being_cancelled_is_cancelled(plant: Plant, lost: dict[str, str]) -> None:
    assert plant.server.wait(lost["canceling"], PROMISE) == "CANCELED"
    assert len(plant.runs("canceling")) == 1


def test_an_ordinary_failure_is_not_started_again(plant: Plant, lost: dict[str, str]) -> None:
    assert plant.server.wait(lost["fails"]) == "FAILURE"
    assert plant.retried("fails", lost["fails"]) is False
    assert len(plant.runs("fails")) == 1


def test_a_group_is_started_again_only_when_all_its_tasks_say_so(plant: Plant, lost: dict[str, str]) -> None:
    assert plant.server.wait(lost["mixed"], PROMISE) == "FAILURE"
    assert plant.retried("mixed", lost["mixed"]) is False
    assert len(plant.runs("mixed")) == 1


def test_after_a_power_cut_runs_fail_and_only_those_that_say_so_start_again(plant: Plant, lost: dict[str, str]) -> None:
    plant.release("first")
    both, never = plant.server.launch("both"), plant.server.launch("never")
    bodies = [plant.held("again", both), plant.held("never", never)]
    plant.cut()
    assert running(bodies) == []
    plant.up()
    assert plant.server.wait(never, PROMISE) == "FAILURE"
    second = plant.restarted("both", both)
    plant.release("again")
    assert plant.server.wait(second) == "SUCCESS"
    # A group goes on where it was lost; a task of it that had succeeded is not run twice.
    assert [run for _, run in plant.executions("first") if run in (both, second)] == [both]
    assert [run for _, run in plant.executions("again")][-2:] == [both, second]
    assert len(plant.runs("never")) == 1
