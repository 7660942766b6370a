"""The run launcher for several machines: it hands each run over to the first machine with a free slot.

The process of a run shows that it is alive by a lock in the database, and reads there that it was stopped. So neither
needs a connection between the machines, nor that their clocks agree. See docs/decisions/0060.
"""

import contextlib
import time
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from mystocks_dagster.factory.launcher import ProcessRunLauncher, size_pools
from mystocks_dagster.factory.machines import names, queue
from mystocks_dagster.factory.machines.attendance import attending, database_url
from mystocks_dagster.factory.shared_versions import publish
from mystocks_dagster.runs.stop import is_stopped
from mystocks_dagster.shared.locks import Holders
from mystocks_dagster.shared.values import Values
from mystocks_dagster.tags import Tag

#: A run whose lock nobody holds for so many seconds is lost: a process takes its lock again after an outage.
GRACE_SECONDS = 20.0
#: Seconds in which the process of a run that a machine has taken must have its lock; it imports Dagster first.
_START_SECONDS = 120.0


class MachineRunLauncher(ProcessRunLauncher):
    """Launches a run as a process of one of the machines on which `mystocks worker` runs."""

    def __init__(self, inst_data: Any = None) -> None:
        super().__init__(inst_data)
        self._asked: Holders | None = None
        self._missing: dict[str, float] = {}
        self._prepared = False

    def launch_run(self, context: LaunchRunContext) -> None:
        """Hand the run over with its version of the task file; cancel a run that was stopped meanwhile."""
        run: Any = context.dagster_run
        size_pools(self._instance, self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id))
        publish(self._instance, run)
        if is_stopped(self._instance, run.run_id):
            self._instance.report_run_canceled(run, "It was stopped before it had started.")
            return
        if run.tags.get(Tag.MACHINE):  # a restarted run has the tags of the lost one
            self._instance.add_run_tags(run.run_id, {Tag.MACHINE: ""})
        url = database_url(self._instance)
        if not self._prepared:
            queue.prepare(url)
            self._prepared = True
        with queue.opened(url) as app:
            queue.hand_over(app, run.run_id, names.installed(), int(run.tags.get(Tag.PRIORITY, 0)))

    def keep_fork_server(self) -> None:
        """Do nothing: no run starts in the daemon's process."""

    def terminate(self, run_id: str) -> bool:
        """Stop a run: its process reads that within a second; a run that no machine has taken is cancelled at once."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if not self._holders(names.run_lock(run_id)):
            self._instance.report_run_canceled(run, "No process executes it.")
        return True

    def check_run_worker_health(self, run: Any) -> CheckRunHealthResult:
        """Return whether the run's process holds its lock; after an outage of the database it has time to take it."""
        if self._holders(names.run_lock(run.run_id)):
            self._missing.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        since = self._missing.setdefault(run.run_id, time.monotonic())
        machine, starting = run.tags.get(Tag.MACHINE) or None, run.status == dg.DagsterRunStatus.STARTING
        waits = starting and machine is None and self.machines()
        if waits or time.monotonic() - since < (_START_SECONDS if starting and machine else GRACE_SECONDS):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if machine is None and (silent := ", ".join(self.silent())):
            reason = f"no machine has taken this run, and {silent} does not answer: start `mystocks worker` there again"
            return CheckRunHealthResult(WorkerStatus.FAILED, reason)
        if machine is None:
            return CheckRunHealthResult(WorkerStatus.FAILED, "no machine has taken this run: start `mystocks worker`")
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"the run's process on {machine} is gone: it was killed, or the machine went down"
        )

    def slots(self) -> int:
        """Return how many runs the machines can execute at once."""
        return sum(slots for slots, _, _ in self.machines())

    def machines(self) -> list[tuple[int, str, str]]:
        """Return slots, version of this package and name of each machine that takes runs."""
        return [machine for machine, seconds in self._shown() if seconds <= queue.LOST_SECONDS]

    def silent(self) -> list[str]:
        """Return the names of machines that have shown no sign of life for a minute, and hold their connection."""
        return [name for (_, _, name), seconds in self._shown() if seconds > queue.LOST_SECONDS]

    def _shown(self) -> list[tuple[tuple[int, str, str], float]]:
        """Return all machines, with the seconds since each last showed that it is alive."""
        held = ((names.machine_of(label), seconds) for label, seconds in self._asker().silences(names.MACHINES))
        return [((of[0], of[1], self._name(of[2])), seconds) for of, seconds in held if of]

    def _name(self, name: str) -> str:
        """Return what a machine is called, whose label may have only the hash of it."""
        stored = Values(database_url(self._instance)).get(names.key_of(name)) if names.is_hashed(name) else None
        return stored or name

    def attending(self, run_id: str) -> contextlib.AbstractContextManager[None]:
        """Hold the run's lock while this process executes it, and interrupt this process when the run is stopped."""
        return attending(self._instance, run_id)

    def _holders(self, name: str) -> list[str]:
        return self._asker().of([name]).get(name, [])

    def _asker(self) -> Holders:
        if self._asked is None:
            self._asked = Holders(database_url(self._instance))
        return self._asked
