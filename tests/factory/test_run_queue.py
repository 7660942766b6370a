"""A run that waits for the publication of its data stays in the queue, and takes no place there."""

import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from mystocks_dagster.factory.run_queue import QueueDaemon, QueueSnapshot
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.runs.held import is_held
from mystocks_dagster.tags import Tag


def run(name: str, until: str | None, status: str = "NOT_STARTED") -> dg.DagsterRun:
    tags = {Tag.NOT_BEFORE: until} if until else {}
    return dg.DagsterRun(job_name=name, tags=tags, status=dg.DagsterRunStatus(status))


def hour(difference: int) -> str:
    return (datetime.fromtimestamp(time.time(), SHANGHAI) + timedelta(hours=difference)).isoformat()


def test_the_queue_leaves_out_runs_whose_time_has_not_come() -> None:
    daemon: Any = QueueDaemon(interval_seconds=1)
    waiting, ready, ordinary = run("waiting", hour(1)), run("ready", hour(-1)), run("ordinary", None)
    assert {run.job_name for run in daemon._priority_sort([waiting, ready, ordinary])} == {"ready", "ordinary"}


@pytest.mark.parametrize("text", ["tomorrow", "", "2026-13-01"])
def test_a_tag_that_is_no_time_holds_nothing(text: str) -> None:
    assert not is_held(run("odd", text))


def test_a_run_that_was_started_all_the_same_is_not_held() -> None:
    assert not is_held(run("started", hour(1), "STARTED"))


@pytest.mark.parametrize(("slots", "started"), [(0, []), (1, []), (2, ["first"]), (9, ["first", "second", "third"])])
def test_no_more_runs_leave_the_queue_than_the_machines_can_execute(slots: int, started: list[str]) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_run(run("active", None, "STARTED"))
        launcher: Any = instance.run_launcher
        launcher.slots = lambda: slots
        config = SimpleNamespace(should_block_op_concurrency_limited_runs=False)
        snapshot = QueueSnapshot(instance, SimpleNamespace(run_queue_config=config))
        waiting = [run(name, None) for name in ("first", "second", "third")]
        assert [run.job_name for run in snapshot.startable(waiting)] == started
