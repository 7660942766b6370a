"""The queue's daemon: a run that waits for a pool does not take a slot of its lane.

Dagster counts a queued run for the tag limits before it checks the run's pool. Eight queued runs of one task would then
block all other tasks although slots are free. See docs/decisions/0007.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    ACTIVE_RUN_STATUSES,
    GlobalOpConcurrencyLimitsCounter,
    QueuedRunCoordinatorDaemon,
    TagConcurrencyLimitsCounter,
)
from mystocks_dagster.runs.held import is_held


@dataclass
class QueueSnapshot:
    """The active runs and the state of the pools during one evaluation of the queue."""

    instance: dg.DagsterInstance
    config: Any
    _infos: dict[str, Any] = field(default_factory=dict)

    def startable(self, runs: list[dg.DagsterRun]) -> list[dg.DagsterRun]:
        """Return the runs whose pools have a slot left after the runs before them.

        Args:
            runs: Queued runs in the order of their start.
        """
        free = self._free_slots()
        if not self.config.run_queue_config.should_block_op_concurrency_limited_runs:
            return [run for number, run in enumerate(runs) if number < free]
        pools, lanes, startable = self._pools(runs), self._lanes(), []
        for run in runs:
            if pools.is_blocked(run) or free < 1:
                continue
            startable.append(run)
            if not lanes.is_blocked(run):
                free -= 1
                lanes.update_counters_with_launched_item(run)
                pools.update_counters_with_launched_item(run)
        return startable

    def _free_slots(self) -> float:
        """Return how many more runs the machines can execute; a run waits in the queue, where it can be stopped."""
        slots = getattr(self.instance.run_launcher, "slots", None)
        return math.inf if slots is None else slots() - len(self._active)

    @cached_property
    def _active(self) -> Any:
        return self.instance.get_run_records(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES))

    @cached_property
    def _limits(self) -> Any:
        return self.instance.event_log_storage.get_pool_limits()

    def _pools(self, runs: list[dg.DagsterRun]) -> GlobalOpConcurrencyLimitsCounter:
        # Creates the slots of new pools: Dagster treats a new pool as one without a limit the first time.
        self._counter(runs, set())
        return self._counter(runs, self.instance.event_log_storage.get_concurrency_keys())

    def _counter(self, runs: list[dg.DagsterRun], pools: set[str]) -> GlobalOpConcurrencyLimitsCounter:
        return GlobalOpConcurrencyLimitsCounter(
            self.instance,
            runs,
            self._active,
            concurrency_keys=pools,
            pool_limits=self._limits,
            slot_count_offset=self.config.run_queue_config.op_concurrency_slot_buffer,
            pool_granularity=self.config.pool_config.pool_granularity,
            concurrency_info_by_key=self._infos,
        )

    def _lanes(self) -> TagConcurrencyLimitsCounter:
        runs = [record.dagster_run for record in self._active]
        return TagConcurrencyLimitsCounter(self.config.run_queue_config.tag_concurrency_limits, runs)


class QueueDaemon(QueuedRunCoordinatorDaemon):
    """Dagster's daemon, limited to the queued runs that need not wait for a pool."""

    _snapshot: QueueSnapshot | None = None

    def _get_runs_to_dequeue(
        self, instance: Any, concurrency_config: Any, fixed_iteration_time: float | None
    ) -> list[dg.DagsterRun]:
        self._snapshot = QueueSnapshot(instance, concurrency_config)
        return super()._get_runs_to_dequeue(instance, concurrency_config, fixed_iteration_time)

    def _priority_sort(self, runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
        ordered = super()._priority_sort(run for run in runs if not is_held(run))
        return ordered if self._snapshot is None else self._snapshot.startable(ordered)
