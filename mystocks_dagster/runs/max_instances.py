"""Active executions of a task, however they were started, which `max_instances` limits."""

import time
from collections.abc import Container, Sequence
from functools import cached_property

import dagster as dg

from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES
from mystocks_dagster.runs.held import is_held
from mystocks_dagster.tags import asset_op_name

#: Longest time between the creation of a run and its queueing or start.
_START_SECONDS = 60
_RUNNING = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
_STARTED = dg.DagsterEventType.STEP_START
_ENDED = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


def limit_reached(instance: dg.DagsterInstance, name: str, max_instances: int) -> str | None:
    """Return why the task must not be started again, with the active executions; None if it may.

    Args:
        instance: Dagster's instance.
        name: The task's name in Dagster.
        max_instances: The task's limit.
    """
    return ActiveExecutions(instance).limit_reached(name, max_instances)


def active_executions(instance: dg.DagsterInstance, name: str) -> list[str]:
    """Return the ids of the task's active executions, the newest first."""
    return ActiveExecutions(instance).of(name)


class ActiveExecutions:
    """The active executions at one moment; for many tasks, what concerns all is read once.

    An execution of the task's own job counts from the queueing of its run until its step has ended. In a run of a
    group, of a dependent task or of Materialize it counts while it runs: later ones wait for the task's pool.
    """

    def __init__(self, instance: dg.DagsterInstance, waiting: Container[str] | None = None) -> None:
        """Read nothing yet.

        Args:
            instance: Dagster's instance.
            waiting: Names of all jobs with a run that has not ended, if they are known.
        """
        self._instance = instance
        self._waiting = waiting
        self._steps_of: dict[str, list[tuple[str, bool]]] = {}

    def limit_reached(self, name: str, max_instances: int) -> str | None:
        """Return why the task must not be started again, with the active executions; None if it may."""
        active = self.of(name)
        if len(active) < max_instances:
            return None
        return f"{name} is already running: {', '.join(active)} (max_instances: {max_instances})"

    def of(self, name: str) -> list[str]:
        """Return the ids of the task's active executions, the newest first."""
        # Not all runs that wait: there may be a thousand, of which none but the task's own counts.
        own = dg.RunsFilter(job_name=name, statuses=list(NOT_FINISHED_STATUSES))
        has_own = self._waiting is None or name in self._waiting
        found = [*(self._instance.get_run_records(own) if has_own else ()), *self._running]
        records = {record.storage_id: record for record in found}
        newest = sorted(records.values(), key=lambda record: record.storage_id, reverse=True)
        runs = [record.dagster_run for record in newest if not _abandoned(record)]
        return [f"{run.run_id}:{step}" for run in runs for step in self._steps(run, name)]

    @cached_property
    def _running(self) -> Sequence[dg.RunRecord]:
        return self._instance.get_run_records(dg.RunsFilter(statuses=list(_RUNNING)))

    def _steps(self, run: dg.DagsterRun, name: str) -> list[str]:
        own = [name] if run.job_name == name and not is_held(run) else []
        if run.status not in _RUNNING:
            return own
        started: dict[str, None] = {}
        ended = False
        for step, starts in self._events(run):
            if step not in (name, asset_op_name(name)):
                continue
            if starts:
                started[step] = None
            else:
                started.pop(step, None)
                ended = True
        # A run ends a moment after its last step: a caller that has read the result may start the task again.
        return list(started) if started or ended else own

    def _events(self, run: dg.DagsterRun) -> list[tuple[str, bool]]:
        """Return the steps that a run has started (True) and ended (False), in order."""
        if run.run_id not in self._steps_of:
            entries = self._instance.all_logs(run.run_id, of_type={_STARTED, *_ENDED})
            events = [entry.get_dagster_event() for entry in entries]
            self._steps_of[run.run_id] = [(event.step_key or "", event.event_type == _STARTED) for event in events]
        return self._steps_of[run.run_id]


def _abandoned(record: dg.RunRecord) -> bool:
    """Whether the process that created the run died before it started the run."""
    age = time.time() - record.create_timestamp.timestamp()
    return record.dagster_run.status == dg.DagsterRunStatus.NOT_STARTED and age > _START_SECONDS
