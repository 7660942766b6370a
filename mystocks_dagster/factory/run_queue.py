"""Dagster's queue, in which a run that waits for a pool takes no place of its lane from others.

Dagster counts a queued run for the limits on tags, and only then finds that its pool is full. Eight queued runs of one
task would keep all other tasks waiting beside free slots. See docs/decisions/0007.
"""

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


@dataclass
class Look:
    """One look at the queue: what runs, and how full the pools are."""

    instance: dg.DagsterInstance
    config: Any
    _infos: dict[str, Any] = field(default_factory=dict)

    def startable(self, runs: list[dg.DagsterRun]) -> list[dg.DagsterRun]:
        """Leave out the runs whose pools are full or will be, given the runs before them.

        Args:
            runs: Queued runs, the first to start first.
        """
        if not self.config.run_queue_config.should_block_op_concurrency_limited_runs:
            return runs
        pools, lanes, found = self._pools(runs), self._lanes(), []
        for run in runs:
            if pools.is_blocked(run):
                continue
            found.append(run)
            if not lanes.is_blocked(run):
                lanes.update_counters_with_launched_item(run)
                pools.update_counters_with_launched_item(run)
        return found

    @cached_property
    def _under_way(self) -> Any:
        return self.instance.get_run_records(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES))

    @cached_property
    def _limits(self) -> Any:
        return self.instance.event_log_storage.get_pool_limits()

    def _pools(self, runs: list[dg.DagsterRun]) -> GlobalOpConcurrencyLimitsCounter:
        # Gives pools that are new their slots; Dagster would take such a pool for one without a limit, once.
        self._counter(runs, set())
        return self._counter(runs, self.instance.event_log_storage.get_concurrency_keys())

    def _counter(self, runs: list[dg.DagsterRun], pools: set[str]) -> GlobalOpConcurrencyLimitsCounter:
        return GlobalOpConcurrencyLimitsCounter(
            self.instance,
            runs,
            self._under_way,
            concurrency_keys=pools,
            pool_limits=self._limits,
            slot_count_offset=self.config.run_queue_config.op_concurrency_slot_buffer,
            pool_granularity=self.config.pool_config.pool_granularity,
            concurrency_info_by_key=self._infos,
        )

    def _lanes(self) -> TagConcurrencyLimitsCounter:
        runs = [record.dagster_run for record in self._under_way]
        return TagConcurrencyLimitsCounter(self.config.run_queue_config.tag_concurrency_limits, runs)


class QueueDaemon(QueuedRunCoordinatorDaemon):
    """Dagster's own, which is shown only the queued runs that need not wait for a pool."""

    _look: Look | None = None

    def _get_runs_to_dequeue(
        self, instance: Any, concurrency_config: Any, fixed_iteration_time: float | None
    ) -> list[dg.DagsterRun]:
        self._look = Look(instance, concurrency_config)
        return super()._get_runs_to_dequeue(instance, concurrency_config, fixed_iteration_time)

    def _priority_sort(self, runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
        ordered = super()._priority_sort(runs)
        return ordered if self._look is None else self._look.startable(ordered)
