"""Which executions of a task are under way, however they were started: what `max_instances` counts."""

import time

import dagster as dg

from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES
from mystocks_dagster.tags import asset_op_name

#: A run is written and at once queued, or started.
_START_SECONDS = 60
_STARTED = dg.DagsterEventType.STEP_START
_ENDED = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


def limit_reached(instance: dg.DagsterInstance, name: str, max_instances: int) -> str | None:
    """Return why the task may not be started once more, naming the executions under way; None when it may.

    Args:
        instance: Dagster's.
        name: The task's name in Dagster.
        max_instances: As the file has it.
    """
    found = active_executions(instance, name)
    if len(found) < max_instances:
        return None
    return f"{name} is already running: {', '.join(found)} (max_instances: {max_instances})"


def active_executions(instance: dg.DagsterInstance, name: str) -> list[str]:
    """Return the ids of the task's unfinished executions, the newest first.

    A run of the task's own job counts from the moment it is queued; in a group's run, in one of a task that depends on
    it, or after a click on Materialize it counts while it runs: what comes later there waits for its turn by itself.
    """
    records = instance.get_run_records(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)))
    runs = [record.dagster_run for record in records if not _forgotten(record)]
    return [f"{run.run_id}:{step}" for run in runs for step in _steps(instance, run, name)]


def _forgotten(record: dg.RunRecord) -> bool:
    """Say whether who wrote the run died before starting it: nobody ever will."""
    age = time.time() - record.create_timestamp.timestamp()
    return record.dagster_run.status == dg.DagsterRunStatus.NOT_STARTED and age > _START_SECONDS


def _steps(instance: dg.DagsterInstance, run: dg.DagsterRun, name: str) -> list[str]:
    if run.job_name == name:
        return [name]
    if run.status not in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING):
        return []
    started: dict[str, None] = {}
    for entry in instance.all_logs(run.run_id, of_type={_STARTED, *_ENDED}):
        event = entry.get_dagster_event()
        if event.step_key not in (name, asset_op_name(name)):
            continue
        if event.event_type == _STARTED:
            started[event.step_key] = None
        else:
            started.pop(event.step_key, None)
    return list(started)
