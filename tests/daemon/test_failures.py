"""Failures under the real daemon: how often a task is tried, and that nothing of one that was stopped is left alive."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import psutil
import pytest
from support.load import in_time
from support.processes import running
from support.project import ROOT, Server, make_folder, serve, wait_for

#: Function that never ends by itself (see tests/execution/bodies/hangs.py) to the number of its processes.
HANGS = {"sleeps": 1, "waits_for_a_socket": 1, "computes_in_c": 1, "ignores_sigterm": 1, "has_a_family": 4}
#: Function that fails to how often it is tried with a retry_count of 2: once when no retry can mend it.
ATTEMPTS = {"unknown": 3, "unavailable": 3, "says_failed": 3, "changed": 1, "invalid": 1, "missing_library": 1}
FAILS = """
    import os
    from pathlib import Path

    from mystocks_dagster.errors import InvalidParams, SourceChanged, SourceUnavailable

    HERE = Path(__file__).parent

    def _note(run):
        with (HERE / f"{run.task_id}.pids").open("a") as pids:
            pids.write(f"{os.getpid()}" + chr(10))

    def unknown(params, run):
        _note(run)
        raise RuntimeError("nobody knows why")

    def unavailable(params, run):
        _note(run)
        raise SourceUnavailable("push2.eastmoney.com refused the connection.")

    def says_failed(params, run):
        _note(run)
        return {"status": "failed", "error": "the source is empty"}

    def changed(params, run):
        _note(run)
        raise SourceChanged("no column 收盘.")

    def invalid(params, run):
        _note(run)
        raise InvalidParams("start_date is after end_date.")

    def missing_library(params, run):
        _note(run)
        import a_library_that_nobody_installed

    def mends(params, run):
        _note(run)
        if run.attempt < 2:
            raise RuntimeError("not yet")
        return {"attempt": run.attempt}
"""


def tasks(root: str) -> str:
    hangs = [
        f"{{task_id: {name}{ending}, task_function: {name}, params: {{pids: {root}/{name}{ending}.pids}}{more}}}"
        for name in HANGS
        for ending, more in (("", ", timeout: 2, stop_on_error: false"), ("_on", ""))
    ]
    fails = [
        f"{{task_id: {name}, task_module: fails, task_function: {name}, retry_count: 2, retry_delay: 2}}"
        for name in ATTEMPTS
    ]
    lines = [
        "task_packages: [hangs, fails]",
        "defaults: {task_type: manual, task_module: hangs, stop_on_error: false}",
        "tasks:",
        *(f"  - {one}" for one in (*hangs, *fails)),
        (
            f"  - {{task_id: late, task_function: sleeps, params: {{pids: {root}/late.pids}}, timeout: 1, retry_count:"
            " 1, retry_delay: 1}"
        ),
        "  - {task_id: mends, task_module: fails, task_function: mends, retry_count: 5, retry_delay: 0}",
        "task_groups:",
        f"  - {{group_id: side_by_side, tasks: [{', '.join(HANGS)}], execution_mode: parallel}}",
        "  - {group_id: failures_side_by_side, tasks: [unknown, changed], execution_mode: parallel}",
        "  - {group_id: in_turn, tasks: [ignores_sigterm, has_a_family]}",
        (
            f"  - {{group_id: on_side_by_side, tasks: [{', '.join(f'{name}_on' for name in HANGS)}], execution_mode:"
            " parallel}"
        ),
        "  - {group_id: on_in_turn, tasks: [has_a_family_on, sleeps_on]}",
        f"  - {{group_id: failures, tasks: [{', '.join((*ATTEMPTS, 'late', 'mends'))}]}}",
    ]
    return "\n".join(lines) + "\n"


@dataclass
class Site:
    """The servers, and what the tasks wrote down of themselves."""

    server: Server

    def pids(self, task: str, at_least: int = 0) -> list[int]:
        """Return the processes of the task, all of its attempts in order, once there are so many."""
        path = self.server.folder.root / f"{task}.pids"

        def read() -> list[int] | None:
            found = [int(line) for line in path.read_text(encoding="utf-8").split()] if path.exists() else []
            # has_a_family notes one process twice.
            return list(dict.fromkeys(found)) if len(set(found)) >= at_least else None

        return read() or [] if not at_least else wait_for(read, 60, f"{at_least} processes of {task}")

    def forget(self) -> None:
        for path in self.server.folder.root.glob("*.pids"):
            path.unlink()

    def history(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the executions of a run by task."""
        return {
            one["task_id"]: one
            for one in self.server.folder.json("history", "--limit", "60")
            if one["run_id"] == run_id
        }

    def starts(self, run_id: str, task: str) -> list[float]:
        """Return when each attempt of the task started, as Dagster noted it."""
        query = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { __typename
                   ... on MessageEvent { timestamp stepKey } } } } }"""
        events = self.server.graphql(query, id=run_id)["logsForRun"]["events"]
        kinds = ("ExecutionStepStartEvent", "ExecutionStepRestartEvent")
        return [
            float(event["timestamp"]) / 1000
            for event in events
            if event["__typename"] in kinds and event["stepKey"] == task
        ]

    def worker(self, run_id: str) -> int:
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { tags { key value } } } }"
        tags = {tag["key"]: tag["value"] for tag in self.server.graphql(query, id=run_id)["runOrError"]["tags"]}
        return int(json.loads(tags["dagster/mystocks_worker"])["pid"])

    def hanging(self, tasks: list[str]) -> list[int]:
        """Wait until all of these tasks hang, and return their processes."""
        return [pid for task in tasks for pid in self.pids(task, HANGS[task.removesuffix("_on")])]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = make_folder(tmp_path_factory.mktemp("failures") / "project")
    folder.write("tasks.yaml", tasks(str(folder.root)))
    folder.write("fails.py", FAILS)
    folder.write("hangs.py", (ROOT / "tests" / "execution" / "bodies" / "hangs.py").read_text(encoding="utf-8"))
    with serve(folder) as server:
        yield Site(server)


@pytest.fixture(scope="module")
def failures(site: Site) -> str:
    """Run every task that fails, one after the other, and return the run's id."""
    run_id = site.server.launch("failures")
    assert site.server.wait(run_id, 120) == "FAILURE"
    return run_id


@pytest.mark.parametrize("task", ATTEMPTS)
def test_attempts_are_one_and_retry_count_and_only_for_what_a_retry_can_mend(
    site: Site, failures: str, task: str
) -> None:
    assert len(site.pids(task)) == ATTEMPTS[task]
    assert site.history(failures)[task]["retry_count"] == ATTEMPTS[task] - 1
    starts = site.starts(failures, task)
    assert len(starts) == ATTEMPTS[task]
    assert all(later - before >= 2 for before, later in pairwise(starts))


def test_in_a_parallel_group_attempts_are_counted_just_so(site: Site, failures: str) -> None:
    assert failures  # these tasks do not run elsewhere meanwhile
    run_id = site.server.launch("failures_side_by_side")
    assert site.server.wait(run_id, 120) == "FAILURE"
    starts = site.starts(run_id, "unknown")
    assert (len(starts), len(site.starts(run_id, "changed"))) == (3, 1)
    assert all(later - before >= 2 for before, later in pairwise(starts))


def test_an_attempt_that_took_too_long_is_a_failure_that_is_retried(site: Site, failures: str) -> None:
    assert len(site.pids("late")) == 2
    assert running(site.pids("late")) == []
    assert site.history(failures)["late"]["error_message"] == "late: timed out after 1 s"


def test_no_attempt_follows_the_one_that_succeeds(site: Site, failures: str) -> None:
    assert len(site.pids("mends")) == 2
    assert site.history(failures)["mends"]["status"] == "success"


def test_failures_reach_the_statistics(site: Site, failures: str) -> None:
    stats = site.server.folder.json("stats")
    assert {(stats[task]["success_rate"], stats[task]["last_status"]) for task in ATTEMPTS} == {(0, "failed")}
    assert stats["says_failed"]["failed_count"] == stats["says_failed"]["total_executions"] == 1
    assert stats["mends"]["success_rate"] == 100


@pytest.mark.parametrize(
    "job", ["side_by_side", "in_turn", "has_a_family"], ids=["parallel group", "sequential group", "single task"]
)
def test_a_timeout_stops_everything_of_the_task(site: Site, job: str) -> None:
    site.forget()
    tasks = {"side_by_side": list(HANGS), "in_turn": ["ignores_sigterm", "has_a_family"]}.get(job, [job])
    run_id = site.server.launch(job)
    pids = site.hanging(tasks)
    assert site.server.wait(run_id) == "FAILURE"
    assert running(pids) == []
    told = site.history(run_id)
    assert {task: told[task]["error_message"] for task in tasks} == {
        task: f"{task}: timed out after 2 s" for task in tasks
    }
    for one in told.values():
        # Five seconds beside the timeout, and as much again for a busy machine to start and end a process.
        took = datetime.fromisoformat(one["end_time"]) - datetime.fromisoformat(one["start_time"])
        assert in_time(took.total_seconds(), 2 + 5 + 5)


def test_a_timeout_stops_a_task_that_was_started_from_the_command_line(site: Site) -> None:
    site.forget()
    assert "timed out after 2 s" in site.server.folder.mystocks("run", "has_a_family", code=1)
    assert running(site.pids("has_a_family", 4)) == []


ENDLESS = {
    "on_side_by_side": [f"{name}_on" for name in HANGS],
    "on_in_turn": ["has_a_family_on"],
    "ignores_sigterm_on": ["ignores_sigterm_on"],
}


def endless(site: Site, job: str) -> tuple[str, list[int]]:
    """Start tasks that never end and return the run and their processes."""
    site.forget()
    config = {"execution": {"config": {"max_concurrent": len(HANGS)}}} if job == "on_side_by_side" else {}
    run_id = site.server.launch(job, config)
    return run_id, site.hanging(ENDLESS[job])


@pytest.mark.parametrize("job", ENDLESS, ids=["parallel group", "sequential group", "single task"])
def test_a_run_cancelled_in_the_ui_leaves_no_process(site: Site, job: str) -> None:
    run_id, pids = endless(site, job)
    site.server.graphql("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=run_id)
    assert site.server.wait(run_id, 60) == "CANCELED"
    assert running(pids) == []
    assert {one["status"] for one in site.history(run_id).values()} == {"cancelled"}


@pytest.mark.parametrize("job", ["on_side_by_side", "on_in_turn"], ids=["parallel group", "sequential group"])
def test_a_killed_run_process_leaves_no_process(site: Site, job: str) -> None:
    run_id, pids = endless(site, job)
    worker = psutil.Process(site.worker(run_id))
    family = [one.pid for one in worker.children(recursive=True)]
    os.kill(worker.pid, signal.SIGKILL)
    wait_for(lambda: not running([worker.pid, *family, *pids]), 60, "the end of all processes of the killed run")
    assert site.server.wait(run_id, 120) == "FAILURE"


def test_a_lost_run_does_not_keep_its_task_from_starting_for_ever(site: Site) -> None:
    run_id, _ = endless(site, "ignores_sigterm_on")
    assert run_id in site.server.folder.mystocks("run", "ignores_sigterm_on", code=1)
    os.kill(site.worker(run_id), signal.SIGKILL)
    assert site.server.wait(run_id, 120) == "FAILURE"
    second = site.server.launch("ignores_sigterm_on")
    site.pids("ignores_sigterm_on", 2)
    site.server.graphql("mutation($id: String!) { terminateRun(runId: $id) { __typename } }", id=second)
    assert site.server.wait(second, 60) == "CANCELED"
