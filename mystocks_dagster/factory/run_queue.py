"""The queue's daemon: a run that waits for a pool does not take a slot of its lane.

Dagster counts a queued run for the tag limits before it checks the run's pool. Eight queued runs of one task would then
block all other tasks although slots are free. See docs/decisions/0007.
"""

import math
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    ACTIVE_RUN_STATUSES,
    GlobalOpConcurrencyLimitsCounter,
    QueuedRunCoordinatorDaemon,
    SpanMarker,
    TagConcurrencyLimitsCounter,
)
from mystocks_dagster.factory.launcher import ProcessRunLauncher
from mystocks_dagster.factory.queue_hold import HOLD
from mystocks_dagster.processes.bell import QUEUE_BELL, Bell
from mystocks_dagster.runs.held import is_held

#: Runs whose pools are read at once.
_AT_ONCE = 20
#: Seconds after which a daemon that waits looks whether it must end.
_SLICE = 0.5


@dataclass
class QueueSnapshot:
    """The active runs and the state of the pools during one evaluation of the queue."""

    instance: dg.DagsterInstance
    config: Any
    _infos: dict[str, Any] = field(default_factory=dict)

    def startable(self, runs: list[dg.DagsterRun]) -> list[dg.DagsterRun]:
        """Return the runs that have a place in their lane and a slot in their pools after the runs before them.

        The state of pools is read for as many runs as may start, not for a thousand that wait.

        Args:
            runs: Queued runs in the order of their start.
        """
        free = self._free_slots()
        if not self.config.run_queue_config.should_block_op_concurrency_limited_runs:
            return [run for number, run in enumerate(runs) if number < free]
        lanes, startable = self._lanes(), []
        for first in range(0, len(runs), _AT_ONCE):
            candidates = [run for run in runs[first : first + _AT_ONCE] if not lanes.is_blocked(run)]
            if not candidates or len(startable) >= free:
                continue
            pools = self._pools([*startable, *candidates])
            for run in startable:
                pools.update_counters_with_launched_item(run)
            for run in candidates:
                if len(startable) >= free or lanes.is_blocked(run) or pools.is_blocked(run):
                    continue
                startable.append(run)
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


def _rest(bell: Bell, seconds: float, shutdown: Event) -> None:
    """Wait for the bell, for some seconds, or for the end of the daemon."""
    rest = time.monotonic() + seconds
    while (left := rest - time.monotonic()) > 0 and not shutdown.is_set() and not bell.wait(min(left, _SLICE)):
        pass


class QueueDaemon(QueuedRunCoordinatorDaemon):
    """Dagster's daemon, limited to the queued runs that need not wait for a pool."""

    _snapshot: QueueSnapshot | None = None

    def core_loop(self, workspace_process_context: Any, shutdown_event: Event) -> Generator[Any]:
        """Look at the queue at each ring of its bell, and at each interval."""
        longest, self.interval_seconds = self.interval_seconds, 0
        began = time.monotonic()
        with Bell(Path(workspace_process_context.instance.root_directory) / QUEUE_BELL) as bell:
            for mark in super().core_loop(workspace_process_context, shutdown_event):
                if mark is SpanMarker.START_SPAN:
                    began = time.monotonic()
                yield mark
                if mark is SpanMarker.END_SPAN:
                    # A look at a thousand runs takes long: at most half of the time is spent on looking.
                    shutdown_event.wait(min(time.monotonic() - began, longest))
                    _rest(bell, longest, shutdown_event)

    def run_iteration(self, workspace_process_context: Any, fixed_iteration_time: float | None = None) -> Any:
        """Start the runs that may start; before the first ones, start the process from which they are forked."""
        launcher = workspace_process_context.instance.run_launcher
        if isinstance(launcher, ProcessRunLauncher):
            launcher.keep_fork_server()
        HOLD.wait()
        yield from super().run_iteration(workspace_process_context, fixed_iteration_time)

    def _get_runs_to_dequeue(
        self, instance: Any, concurrency_config: Any, fixed_iteration_time: float | None
    ) -> list[dg.DagsterRun]:
        self._snapshot = QueueSnapshot(instance, concurrency_config)
        return super()._get_runs_to_dequeue(instance, concurrency_config, fixed_iteration_time)

    def _priority_sort(self, runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
        ordered = super()._priority_sort(run for run in runs if not is_held(run))
        return ordered if self._snapshot is None else self._snapshot.startable(ordered)
