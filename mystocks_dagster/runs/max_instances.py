"""Active executions of a task, however they were started, which `max_instances` limits."""

import time

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
    active = active_executions(instance, name)
    if len(active) < max_instances:
        return None
    return f"{name} is already running: {', '.join(active)} (max_instances: {max_instances})"


def active_executions(instance: dg.DagsterInstance, name: str) -> list[str]:
    """Return the ids of the task's active executions, the newest first.

    An execution of the task's own job counts from the queueing of its run until its step has ended. In a run of a
    group, of a dependent task or of Materialize it counts while it runs: later ones wait for the task's pool.
    """
    # Not all runs that wait: there may be a thousand, of which none but the task's own counts.
    own = dg.RunsFilter(job_name=name, statuses=list(NOT_FINISHED_STATUSES))
    others = dg.RunsFilter(statuses=list(_RUNNING))
    records = {record.storage_id: record for chosen in (own, others) for record in instance.get_run_records(chosen)}
    newest = sorted(records.values(), key=lambda record: record.storage_id, reverse=True)
    runs = [record.dagster_run for record in newest if not _abandoned(record)]
    return [f"{run.run_id}:{step}" for run in runs for step in _steps(instance, run, name)]


def _abandoned(record: dg.RunRecord) -> bool:
    """Whether the process that created the run died before it started the run."""
    age = time.time() - record.create_timestamp.timestamp()
    return record.dagster_run.status == dg.DagsterRunStatus.NOT_STARTED and age > _START_SECONDS


def _steps(instance: dg.DagsterInstance, run: dg.DagsterRun, name: str) -> list[str]:
    own = [name] if run.job_name == name and not is_held(run) else []
    if run.status not in _RUNNING:
        return own
    started: dict[str, None] = {}
    ended = False
    for entry in instance.all_logs(run.run_id, of_type={_STARTED, *_ENDED}):
        event = entry.get_dagster_event()
        if event.step_key not in (name, asset_op_name(name)):
            continue
        if event.event_type == _STARTED:
            started[event.step_key] = None
        else:
            started.pop(event.step_key, None)
            ended = True
    # A run ends a moment after its last step: a caller that has read the result may start the task again.
    return list(started) if started or ended else own
