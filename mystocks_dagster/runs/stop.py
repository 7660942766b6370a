"""Stopping what runs or waits: a run, an execution, or all that a task or group has under way.

Whether a run was stopped, its event log says, whatever its status says: Dagster's queue reads that a run waits and
writes a moment later that it starts, and a stop in between is overwritten
(https://github.com/dagster-io/dagster/issues/3323). An event is never overwritten. See docs/decisions/0021.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES
from mystocks_dagster.errors import InstanceError, NotNow, NotRunning, UnknownName
from mystocks_dagster.tags import UNDER_WAY, State, Tag
from mystocks_dagster.taskfile.names import dagster_name

#: A body that ignores its signals is killed after 5 s; a run worker that is just starting needs some seconds to listen.
_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.25
#: As many characters of a run's id as Dagster's UI shows are enough to name it.
_SHORT_ID = 8

_STOPS = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED}


@dataclass(frozen=True, kw_only=True)
class StopResult:
    """A run that was stopped.

    Attributes:
        executions: Ids of the executions that it had under way; with one of a group's all others stop too.
    """

    run_id: str
    job: str
    status: str
    executions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {**vars(self), "executions": list(self.executions)}


def active_runs(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    """Return the runs that wait or run, the newest first."""
    return instance.get_runs(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))


def runs_of(instance: dg.DagsterInstance, task_ids: Mapping[str, str], name: str) -> list[dg.DagsterRun]:
    """Return the runs of a task's or group's own job, and others in which the task runs now or is all there is."""

    def concerned(run: dg.DagsterRun) -> bool:
        open_ = [one for one in history.of_run(instance, run.run_id, task_ids) if one.status in UNDER_WAY]
        return {one.task_id for one in open_} == {name} or any(
            one.task_id == name and one.status == State.RUNNING for one in open_
        )

    return [run for run in active_runs(instance) if run.job_name == dagster_name(name) or concerned(run)]


def is_run_id(name: str) -> bool:
    """Say whether that is, by its look, the id of a run or execution, or the start of one."""
    return re.fullmatch(rf"[0-9a-f]{{{_SHORT_ID}}}[0-9a-f-]*(:.+)?", name) is not None


def run_named(instance: dg.DagsterInstance, task_ids: Mapping[str, str], name: str) -> dg.DagsterRun:
    """Return the run of that id (its first eight characters are enough), or of an execution's id.

    Raises:
        UnknownName: There is no such run or execution.
        NotRunning: It has ended.
    """
    run_id, _, step = name.partition(":")
    near = [run for run in active_runs(instance) if run.run_id.startswith(run_id)]
    run = near[0] if len(near) == 1 else instance.get_run_by_id(run_id)
    if run is None:
        raise UnknownName(f"There is no run or execution {name!r}. What runs: mystocks history --status running")
    if run.is_finished:
        raise NotRunning(
            f"The run {run.run_id} of {run.job_name} is not running: it has ended with {run.status.value}."
        )
    if step:
        _check_execution(history.of_run(instance, run.run_id, task_ids), f"{run.run_id}:{step}", run)
    return run


def stop(instance: dg.DagsterInstance, run: dg.DagsterRun, task_ids: Mapping[str, str]) -> StopResult:
    """Stop a run: take it off the queue, or end its process and all that it started; return when that is done.

    Raises:
        InstanceError: It did not end in time, or is part of a Python program.
    """
    if program := run.tags.get(Tag.IN_PROGRAM):
        raise NotNow(f"{run.job_name} runs inside the Python program of process {program}; stop it there.")
    held = [one.execution_id for one in history.of_run(instance, run.run_id, task_ids) if one.status in UNDER_WAY]
    request(instance, run.run_id)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        now = instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            status = "deleted" if now is None else now.status.value.lower()
            return StopResult(run_id=run.run_id, job=run.job_name, status=status, executions=tuple(held))
        if instance.run_launcher.check_run_worker_health(now).status.value == "FAILED":
            # The worker ended before it could say so; asked again, the launcher says it.
            instance.run_launcher.terminate(run.run_id)
        time.sleep(_POLL_SECONDS)
    raise InstanceError(
        f"The run {run.run_id} was told to stop and goes on after {_PATIENCE_SECONDS} s; see worker.log in its folder."
    )


def request(instance: dg.DagsterInstance, run_id: str) -> None:
    """Ask a run to stop, and return at once: it leaves the queue, or its process is interrupted."""
    instance.run_coordinator.cancel_run(run_id)


def is_stopped(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Say whether somebody has stopped the run, or asked it to stop."""
    return bool(instance.get_records_for_run(run_id, of_type=_STOPS, limit=1).records)


def was_begun(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Say whether the run has left the queue: its process may exist, or is about to."""
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_STARTING, limit=1).records)


def mark_canceling(instance: dg.DagsterInstance, run_id: str) -> None:
    """Let the status of a stopped run say so too.

    Dagster writes it after the event, and takes an interruption before it for a failure.
    """
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status not in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED):
        instance.report_run_canceling(run, "It was stopped.")


def settle(instance: dg.DagsterInstance, run_id: str) -> None:
    """End a stopped run on which no process works any more as cancelled, also when something else overwrote that."""
    run = instance.get_run_by_id(run_id)
    if run is None or run.status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.CANCELED):
        return
    if is_stopped(instance, run_id):
        instance.report_run_canceled(run, "It was stopped.")


def _check_execution(executions: Sequence[history.Execution], execution_id: str, run: dg.DagsterRun) -> None:
    found = {one.execution_id: one.status for one in executions}
    if execution_id not in found:
        raise UnknownName(
            f"The run {run.run_id} has no execution {execution_id!r}; it has {', '.join(found) or 'none yet'}."
        )
    if found[execution_id] not in UNDER_WAY:
        raise NotRunning(
            f"{execution_id} is not running: it has ended with {found[execution_id]}. Its run goes "
            f"on: mystocks stop {run.run_id}"
        )
