"""The run queue, with a lane kept free for critical work."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator

from mystocks_dagster import downtime
from mystocks_dagster.disabled import refusal
from mystocks_dagster.errors import Disabled, InstanceError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.factory.text import PRIORITY, dagster_priority
from mystocks_dagster.history.record import TASK_TYPE
from mystocks_dagster.market.clock import now
from mystocks_dagster.processes import lock
from mystocks_dagster.taskfile.model import PRIORITIES

#: The tag on which dagster.yaml limits how many runs are under way.
LANE = "mystocks/lane"
_CRITICAL = int(dagster_priority(PRIORITIES["critical"]))


class LaneRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue; each run is given its lane, and a priority where it has none, as it is queued.

    The tags are set here and not on the jobs because runs of the Materialize button and of backfills have no job of
    ours; see docs/decisions/0007. A supervisor has no lane: it is meant to run for ever and must not fill the queue.
    """

    @property
    def dequeue_interval_seconds(self) -> int:
        """Seconds between two looks of the daemon at the queue.

        Dagster asks for it once, when a daemon is made and before it begins, and nobody else asks: here every daemon, however
        it was started, takes the instance's lock, and notes when it
        begins. A second one ends.
        """
        try:
            lock.claim(Path(self._instance.root_directory) / lock.DAEMON_LOCK, "A daemon")
            database_lock.claim(self._instance)
        except InstanceError as error:
            sys.stderr.write(f"{error} Two daemons would start everything twice.\n")
            raise SystemExit(1) from None
        downtime.begin(self._instance, now())
        return super().dequeue_interval_seconds

    def submit_run(self, context: SubmitRunContext) -> Any:
        """Tag the run and put it in the queue.

        Raises:
            Disabled: It is a group that the file has disabled.
        """
        run = context.dagster_run
        if refused := refusal(self._instance, run.job_name, run.tags):
            raise Disabled(refused)
        steps = self._steps(run)
        priority = run.tags.get(PRIORITY) or str(max((int(tags.get(PRIORITY, 0)) for tags in steps), default=0))
        added = {PRIORITY: priority}
        if {tags.get(TASK_TYPE) for tags in steps} != {"supervisor"}:
            added[LANE] = "critical" if _number(priority) >= _CRITICAL else "ordinary"
        self._instance.add_run_tags(run.run_id, added)
        return super().submit_run(context)

    def _steps(self, run: Any) -> list[Mapping[str, str]]:
        """Return the tags of the steps that the run executes."""
        if run.execution_plan_snapshot_id is None:
            return []
        plan = self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
        return [step.tags or {} for step in plan.steps if step.key in plan.step_keys_to_execute]


def _number(priority: str) -> int:
    """Read a priority as Dagster's queue does: what a person typed and is no number counts as 0."""
    try:
        return int(priority)
    except ValueError:
        return 0
