"""The daemon that fails runs which do not start, or do not stop, in time, also when the clock is set meanwhile.

Dagster compares the wall clock with the moment at which the run was launched. When the clock is set forward while a run
is starting, Dagster fails the run at once, though its process lives. See docs/decisions/0021.
"""

import time
from collections.abc import Callable, Generator
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import MonitoringDaemon, WorkerStatus

#: Setting of the instance that limits how long a run may have this status.
_LIMITS = {
    dg.DagsterRunStatus.NOT_STARTED: "run_monitoring_start_timeout_seconds",
    dg.DagsterRunStatus.STARTING: "run_monitoring_start_timeout_seconds",
    dg.DagsterRunStatus.CANCELING: "run_monitoring_cancel_timeout_seconds",
}
#: A run that is being launched has no process at first.
_LAUNCH_SECONDS = 10


class MonitorDaemon(MonitoringDaemon):
    """Dagster's daemon, without the runs that it has not seen start or stop for as long as they may."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, **options: Any) -> None:
        """Create the daemon.

        Args:
            clock: Seconds of a clock that nobody sets.
            options: Those of Dagster's daemon.
        """
        super().__init__(**options)
        self._clock = clock
        self._since: dict[tuple[str, dg.DagsterRunStatus], float] = {}
        self._since_before = self._since

    def run_iteration(self, workspace_process_context: Any) -> Generator[Any]:
        """Fail the runs that are lost and those whose time is over, and free the slots of runs that have ended."""
        self._since_before, self._since = self._since, {}
        workspace: Any = _Workspace(workspace_process_context, self)
        yield from super().run_iteration(workspace)

    def is_early(self, record: Any, instance: dg.DagsterInstance) -> bool:
        """Return whether a run still has time to start or to stop; one whose process is gone has none."""
        run = record.dagster_run
        if run.status not in _LIMITS:
            return False
        state, now = (run.run_id, run.status), self._clock()
        self._since[state] = self._since_before.get(state, now)
        seconds = now - self._since[state]
        if seconds >= _LAUNCH_SECONDS and _is_lost(run, instance):
            return False
        return seconds < getattr(instance, _LIMITS[run.status])


def _is_lost(run: dg.DagsterRun, instance: dg.DagsterInstance) -> bool:
    """Return whether no process executes a run.

    Otherwise a daemon that is restarted again and again would never end it, and it would keep its place in its lane.
    """
    launcher = instance.run_launcher
    known = launcher.supports_check_run_worker_health
    return known and launcher.check_run_worker_health(run).status == WorkerStatus.FAILED


class _Workspace:
    """The daemon's workspace, with an instance that does not list the runs that still have time."""

    def __init__(self, workspace: Any, daemon: MonitorDaemon) -> None:
        self._workspace = workspace
        self.instance = _Instance(workspace.instance, daemon)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._workspace, name)


class _Instance:
    def __init__(self, instance: dg.DagsterInstance, daemon: MonitorDaemon) -> None:
        self._instance, self._daemon = instance, daemon

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def get_run_records(self, *args: Any, **options: Any) -> list[Any]:
        records = self._instance.get_run_records(*args, **options)
        return [record for record in records if not self._daemon.is_early(record, self._instance)]
