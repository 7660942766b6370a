"""Stop active runs: one by id, the run of an execution, or all runs of a task or group.

The event log decides whether a run was stopped, not its status: Dagster's queue reads that a run waits and writes later
that it starts, which overwrites a stop in between (https://github.com/dagster-io/dagster/issues/3323). Events are never
overwritten. See docs/decisions/0021.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES
from mystocks_dagster.errors import InstanceError, NotNow, NotRunning, UnknownName
from mystocks_dagster.tags import UNDER_WAY, State, Tag
from mystocks_dagster.taskfile.names import dagster_name

#: A task that ignores signals is killed after 5 s; a run worker handles signals a few seconds after its start.
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.25
#: Length of a short run id, as in Dagster's UI.
_SHORT_ID = 8

_STOPS = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED}


@dataclass(frozen=True, kw_only=True)
class StopResult:
    """A run that was stopped.

    Attributes:
        executions: Ids of its executions that were active; a stop ends all executions of a run.
    """

    run_id: str
    job: str
    status: str
    executions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {**vars(self), "executions": list(self.executions)}


def active_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the runs that have not ended, the newest first."""
    return instance.get_runs(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))


def runs_of(instance: dg.DagsterInstance, task_ids: Mapping[str, str], name: str) -> list[dg.DagsterRun]:
    """Return the active runs of a task or group: of its own job, and others with only this task active or running."""

    def affected(run: dg.DagsterRun) -> bool:
        executions = history.of_run(instance, run.run_id, task_ids)
        active = [execution for execution in executions if execution.status in UNDER_WAY]
        running = {execution.task_id for execution in active if execution.status == State.RUNNING}
        return name in running or {execution.task_id for execution in active} == {name}

    return [run for run in active_runs(instance) if run.job_name == dagster_name(name) or affected(run)]


def is_run_id(name: str) -> bool:
    """Whether a text has the form of the id of a run or execution, or of its first characters."""
    return re.fullmatch(rf"[0-9a-f]{{{_SHORT_ID}}}[0-9a-f-]*(:.+)?", name) is not None


def run_named(instance: dg.DagsterInstance, task_ids: Mapping[str, str], name: str) -> dg.DagsterRun:
    """Return the run with an id (its first eight characters are enough), or the run of an execution's id.

    Raises:
        UnknownName: The run or execution does not exist.
        NotRunning: It has ended.
    """
    run_id, _, step = name.partition(":")
    matches = [run for run in active_runs(instance) if run.run_id.startswith(run_id)]
    run = matches[0] if len(matches) == 1 else instance.get_run_by_id(run_id)
    if run is None:
        raise UnknownName(
            f"There is no run or execution {name!r}. List the active ones: mystocks history --status running"
        )
    if run.is_finished:
        raise NotRunning(
            f"The run {run.run_id} of {run.job_name} is not running: it has ended with {run.status.value}."
        )
    if step:
        _check_execution(history.of_run(instance, run.run_id, task_ids), f"{run.run_id}:{step}", run)
    return run


def stop(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    task_ids: Mapping[str, str],
    requested: Callable[[], object] = lambda: None,
) -> StopResult:
    """Stop a run and wait for its end: remove it from the queue, or end its process with all child processes.

    Args:
        instance: Dagster's instance.
        run: The run.
        task_ids: Task ids by the names of Dagster's steps.
        requested: Called when the stop is requested, before the wait for the run's end.

    Raises:
        NotNow: It is part of a Python program.
        InstanceError: It did not end in time.
    """
    if program := run.tags.get(Tag.IN_PROGRAM):
        raise NotNow(f"{run.job_name} runs inside the Python program of process {program}; stop it there.")
    executions = history.of_run(instance, run.run_id, task_ids)
    active = [execution.execution_id for execution in executions if execution.status in UNDER_WAY]
    request(instance, run.run_id)
    requested()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        current = instance.get_run_by_id(run.run_id)
        if current is None or current.is_finished:
            status = "deleted" if current is None else current.status.value.lower()
            return StopResult(run_id=run.run_id, job=run.job_name, status=status, executions=tuple(active))
        if instance.run_launcher.check_run_worker_health(current).status.value == "FAILED":
            # The worker ended without reporting it; the launcher reports it now.
            instance.run_launcher.terminate(run.run_id)
        time.sleep(_POLL_SECONDS)
    raise InstanceError(
        f"The run {run.run_id} has not stopped within {_PATIENCE_SECONDS} s; see worker.log in its folder."
    )


def request(instance: dg.DagsterInstance, run_id: str) -> None:
    """Request the stop of a run without waiting: it leaves the queue, or its process is interrupted."""
    instance.run_coordinator.cancel_run(run_id)


def is_stopped(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the run was stopped, or its stop was requested."""
    return bool(instance.get_records_for_run(run_id, of_type=_STOPS, limit=1).records)


def was_begun(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the run has left the queue, so that its process may exist."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_STARTING, limit=1).records)


def mark_canceling(instance: dg.DagsterInstance, run_id: str) -> None:
    """Set the status of a stopped run to CANCELING.

    Dagster writes the status after the event, and treats an interruption in between as a failure.
    """
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status not in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
        instance.report_run_canceling(run, "The run was stopped.")


def settle(instance: dg.DagsterInstance, run_id: str) -> None:
    """End a stopped run without a process as cancelled, also if another status has overwritten that."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
        return
    if is_stopped(instance, run_id):
        instance.report_run_canceled(run, "The run was stopped.")


def _check_execution(executions: Sequence[history.Execution], execution_id: str, run: dg.DagsterRun) -> None:
    statuses = {execution.execution_id: execution.status for execution in executions}
    if execution_id not in statuses:
        raise UnknownName(
            f"The run {run.run_id} has no execution {execution_id!r}; it has {', '.join(statuses) or 'none yet'}."
        )
    if (status := statuses[execution_id]) not in UNDER_WAY:
        raise NotRunning(
            f"{execution_id} is not running: it has ended with {status}. Stop its run with: mystocks stop {run.run_id}"
        )
