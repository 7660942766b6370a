"""A run that waits for the publication of its data stays in the queue, and takes no place there."""

import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.config import ConcurrencyConfig, PoolConfig, PoolGranularity
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig
from dagster._core.storage.dagster_run import RunOpConcurrency
from dagster._utils.concurrency import ConcurrencyKeyInfo

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


class Pools:
    """The storage of pools, which counts what is asked of it; each pool has one slot."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def get_pool_limits(self) -> list[object]:
        return []

    def get_concurrency_keys(self) -> set[str]:
        return {f"task_{number}" for number in range(1000)}

    def initialize_concurrency_limit_to_default(self, name: str) -> None:
        pass

    def get_concurrency_infos(self, names: list[str]) -> dict[str, ConcurrencyKeyInfo]:
        self.asked.update(names)
        return {
            name: ConcurrencyKeyInfo(concurrency_key=name, slot_count=1, claimed_slots=[], pending_steps=[])
            for name in names
        }


def queued(number: int, pool: str) -> dg.DagsterRun:
    demand = RunOpConcurrency(root_key_counts={pool: 1}, has_unconstrained_root_nodes=False, all_pools={pool})
    tags = {Tag.LANE: "ordinary"}
    return dg.DagsterRun(job_name=f"task_{number}", tags=tags, run_op_concurrency=demand)


@pytest.fixture
def look(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> tuple[QueueSnapshot, Pools]:
    """A look at the queue while no run is active; three ordinary runs may start."""
    pools = Pools()
    monkeypatch.setattr(type(instance), "event_log_storage", property(lambda _: pools))
    queue = RunQueueConfig(
        max_concurrent_runs=64,
        tag_concurrency_limits=[{"key": Tag.LANE, "value": "ordinary", "limit": 3}],
        should_block_op_concurrency_limited_runs=True,
    )
    slots = PoolConfig(pool_granularity=PoolGranularity.OP, default_pool_limit=1, op_granularity_run_buffer=0)
    return QueueSnapshot(instance, ConcurrencyConfig(pool_config=slots, run_queue_config=queue)), pools


def test_of_a_thousand_waiting_runs_only_the_pools_of_the_first_are_read(look: tuple[QueueSnapshot, Pools]) -> None:
    snapshot, pools = look
    runs = [queued(number, f"task_{number}") for number in range(1000)]
    assert [run.job_name for run in snapshot.startable(runs)] == ["task_0", "task_1", "task_2"]
    assert len(pools.asked) < 50


def test_runs_far_behind_many_that_wait_for_one_pool_still_start(
    look: tuple[QueueSnapshot, Pools], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, pools = look
    runs = [queued(0, "busy") for _ in range(100)] + [queued(1, "task_1"), queued(2, "task_2"), queued(3, "task_3")]
    monkeypatch.setattr(pools, "get_concurrency_keys", lambda: {"busy", "task_1", "task_2", "task_3"})
    assert [run.job_name for run in snapshot.startable(runs)] == ["task_0", "task_1", "task_2"]


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
