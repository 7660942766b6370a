"""The run queue, with a lane for critical tasks."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import AUTO_RETRY_RUN_ID_TAG, PARENT_RUN_ID_TAG, RETRY_NUMBER_TAG
from mystocks_dagster.errors import Disabled, InstanceError, SettingsError
from mystocks_dagster.factory import database_lock
from mystocks_dagster.factory.daemons import use_own_daemons
from mystocks_dagster.factory.lanes import queue_tags, step_tags
from mystocks_dagster.factory.shared_versions import publish
from mystocks_dagster.history.dagster_storage import create_pools, run_storage
from mystocks_dagster.market.clock import now
from mystocks_dagster.migration_scripts import read_once
from mystocks_dagster.processes import lock
from mystocks_dagster.processes.bell import QUEUE_BELL, ring
from mystocks_dagster.processes.log_lines import keep_root
from mystocks_dagster.runs import daemon_lake, event_file
from mystocks_dagster.runs.disabled_groups import refusal_reason
from mystocks_dagster.runs.stop import is_stopped, was_begun
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.settings import Settings
from mystocks_dagster.shared.place import database_url
from mystocks_dagster.sqlite_engines import keep_engines
from mystocks_dagster.tags import Storage
from mystocks_dagster.version_stamp import installed, refuse_newer

_WAITING = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)


class LaneRunCoordinator(dg.QueuedRunCoordinator):
    """Dagster's queue, which tags each run with its lane, and with a priority if it has none.

    The tags are set here and not on the jobs, because runs of the Materialize button and of backfills belong to a job
    of Dagster; see docs/decisions/0007.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        read_once()
        keep_engines()
        keep_root(as_json=Settings.from_env().log_json)
        # Dagster creates its daemons after it has loaded this class from dagster.yaml.
        use_own_daemons()

    @property
    def dequeue_interval_seconds(self) -> int:
        """Seconds between two evaluations of the queue.

        Dagster reads it once for each daemon, before the daemon begins. So this is where every daemon, however it was
        started, takes the instance's lock, and records its start and its lake. A second daemon exits, and so does one
        of an older version than the project's.
        """
        try:
            lock.claim(Path(self._instance.root_directory) / lock.DAEMON_LOCK, "A daemon")
            database_lock.claim(self._instance)
        except InstanceError as error:
            sys.stderr.write(f"{error} Two daemons would start everything twice.\n")
            raise SystemExit(1) from None
        _check_launcher(self._instance)
        settings = Settings.from_env()
        try:
            refuse_newer(settings)
        except SettingsError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1) from None
        noted = {
            Storage.DAEMON_VERSION: installed(),
            Storage.DAEMON_LAKE: daemon_lake.note(settings),
        }
        run_storage(self._instance).set_cursor_values(noted)
        downtime.begin(self._instance, now())
        return super().dequeue_interval_seconds

    def submit_run(self, context: dg.SubmitRunContext) -> Any:
        """Tag the run and queue it.

        Raises:
            Disabled: The group is disabled in the file.
        """
        run = context.dagster_run
        if reason := refusal_reason(self._instance, run.job_name, run.tags):
            raise Disabled(reason)
        event_file.prepare(self._instance, run.run_id)
        self._instance.add_run_tags(run.run_id, queue_tags(self._instance, run.tags, self._steps(run)))
        if database_url(Path(self._instance.root_directory)):
            publish(self._instance, run)
            create_pools(self._instance, run)
        queued = self._unless_stopped(super().submit_run(context))
        ring(Path(self._instance.root_directory) / QUEUE_BELL)
        return queued

    def _unless_stopped(self, run: dg.DagsterRun) -> dg.DagsterRun:
        """Cancel a run that was stopped before it was queued, or that replaces a stopped run."""
        stopped = is_stopped(self._instance, run.run_id)
        parent = run.tags.get(PARENT_RUN_ID_TAG) if RETRY_NUMBER_TAG in run.tags else None
        lost = self._instance.get_run_by_id(parent) if parent else None
        if lost is not None and lost.tags.get(AUTO_RETRY_RUN_ID_TAG) == run.run_id:
            stopped = stopped or is_stopped(self._instance, lost.run_id)
        if not stopped or run.status != dg.DagsterRunStatus.QUEUED:
            return run
        self._instance.report_run_canceled(run, "It was stopped before it had started.")
        return run.with_status(dg.DagsterRunStatus.CANCELED)

    def cancel_run(self, run_id: str) -> bool:
        """Stop a run, also one that is leaving the queue: after this call, none of its tasks starts."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if run.status in _WAITING:
            self._instance.report_run_canceling(run, message="Canceling run from the queue.")
            # The daemon reads the stop before it starts the run.
            if not was_begun(self._instance, run_id):
                self._instance.report_run_canceled(run)
                return True
        if self._instance.run_launcher.terminate(run_id):
            return True
        # The launcher may have read the stop and cancelled the run.
        run = self._instance.get_run_by_id(run_id)
        return run is not None and run.status == dg.DagsterRunStatus.CANCELED

    def _steps(self, run: Any) -> list[Mapping[str, str]]:
        """Return the tags of the steps that the run executes."""
        if run.execution_plan_snapshot_id is None:
            return []
        return step_tags(self._instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id))


def _check_launcher(instance: dg.DagsterInstance) -> None:
    """End the daemon if its launcher cannot start a run of this project as it must be."""
    try:
        launcher = instance.run_launcher
        if type(launcher).__name__ == "K8sRunLauncher":
            raise InstanceError(
                "dagster.yaml names dagster_k8s.K8sRunLauncher, whose runs would not find their tasks. Name "
                "mystocks_dagster.factory.machines.kubernetes and KubernetesRunLauncher, which has the same options."
            )
        getattr(launcher, "check", lambda: None)()
    except InstanceError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
