"""The executions of a run, out of its events."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import ErrorSource
from mystocks_dagster.history import dagster_storage
from mystocks_dagster.history.models import Execution
from mystocks_dagster.history.record import Record
from mystocks_dagster.tags import PREFIX, Metadata, State, is_check, step_task
from mystocks_dagster.taskfile.secrets import mask

_STARTED = (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED)
_ENDED = {
    dg.DagsterEventType.STEP_SUCCESS: State.SUCCESS,
    dg.DagsterEventType.STEP_FAILURE: State.FAILED,
}
_TYPES = (
    *_ENDED,
    *_STARTED,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.LOGS_CAPTURED,
    dg.DagsterEventType.RUN_FAILURE,
)


def of_run(instance: dg.DagsterInstance, run_id: str, task_ids: Mapping[str, str]) -> list[Execution]:
    """Return the executions of one run, in the order in which they started; those not started come last.

    Args:
        instance: Dagster's.
        run_id: The run's.
        task_ids: Dagster name to task id, for the tasks of today's file; other names stand for themselves.
    """
    return [one.shown(instance, task_ids) for one in read(instance, [run_id]).get(run_id, (None, []))[1]]


def read(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, tuple[Any, list[Record]]]:
    """Return, by run id, each run's record and its executions, in the order in which they started."""
    # The runs before their events: what ends in between is read again, since its run was not seen as ended.
    runs = {record.dagster_run.run_id: record for record in dagster_storage.records(instance, list(run_ids))}
    entries = dagster_storage.events(instance, runs, _TYPES)
    plan = cache(instance.get_execution_plan_snapshot)
    return {
        run_id: (record, list(_of_run(plan, record.dagster_run, entries.get(run_id, []))))
        for run_id, record in runs.items()
    }


def _of_run(plan_of: Callable[[str], Any], run: Any, entries: Sequence[Any]) -> Iterator[Record]:
    steps: dict[str, list[Any]] = {}
    logs: dict[str, str] = {}
    failure = None
    for entry in entries:
        event = entry.get_dagster_event()
        if event.event_type == dg.DagsterEventType.LOGS_CAPTURED:
            data: Any = event.event_specific_data
            logs |= dict.fromkeys(data.step_keys or (), data.file_key)
        elif event.event_type == dg.DagsterEventType.RUN_FAILURE:
            failure = entry
        elif event.step_key and not is_check(event.step_key):
            steps.setdefault(event.step_key, []).append(entry)
    for step in [*steps, *_not_started(plan_of, run, steps)]:
        yield _record(run, step, steps.get(step, []), logs.get(step), failure)


def _not_started(plan_of: Callable[[str], Any], run: Any, started: Mapping[str, Any]) -> list[str]:
    """Return the steps that an unfinished run will still start, that a cancelled run will not, or whose run failed before it began."""
    broken = run.status == dg.DagsterRunStatus.FAILURE and not started
    if run.is_finished and not broken and run.status != dg.DagsterRunStatus.CANCELED:
        return []
    plan = plan_of(run.execution_plan_snapshot_id) if run.execution_plan_snapshot_id else None
    steps = [step for step in plan.step_keys_to_execute if step not in started] if plan else []
    steps = [step for step in steps if not is_check(step)]
    # What was to run before the job's own task is not at fault.
    return [run.job_name] if broken and run.job_name in steps else steps


def _record(run: Any, step: str, entries: list[Any], log_key: str | None, failure: Any) -> Record:
    starts = [entry for entry in entries if entry.get_dagster_event().event_type in _STARTED]
    end = next((entry for entry in reversed(entries) if entry.get_dagster_event().event_type in _ENDED), None)
    told = _told(entries)
    task = told.pop("task_id", step_task(step))
    status = _status(run, starts, end, told.pop("status", None))
    # A lost run took the execution with it.
    lost = status == State.FAILED and end is None and failure is not None
    began = starts[0].timestamp if starts else failure.timestamp if lost else None
    return Record(
        run_id=run.run_id,
        step=step,
        job=run.job_name,
        task=task,
        status=status,
        start=began,
        end=end.timestamp if end else None,
        retries=max(len(starts) - 1, 0),
        params=mask(run.run_config.get("ops", {}).get(step, {}).get("config")),
        result=told or None,
        error=failure.get_dagster_event().message if lost else _error(end),
        log_key=log_key,
    )


def _status(run: Any, starts: list[Any], end: Any, told: str | None) -> str:
    if _interrupted(end):
        return State.CANCELLED
    if end is not None:
        reached = _ENDED[end.get_dagster_event().event_type]
        return told if reached == State.SUCCESS and told else reached
    if run.status == dg.DagsterRunStatus.CANCELED:
        return State.CANCELLED
    if run.is_finished:
        return State.FAILED
    return State.RUNNING if starts else State.PENDING


def _interrupted(end: Any) -> bool:
    """Say whether a step ended because its run was stopped, which Dagster notes as a failure of the step."""
    data = end.get_dagster_event().event_specific_data if end is not None else None
    return getattr(data, "error_source", None) == ErrorSource.INTERRUPT


def _told(entries: list[Any]) -> dict[str, Any]:
    """Return what the task reported of itself, from the newest event that carries it."""
    for entry in reversed(entries):
        event = entry.get_dagster_event()
        metadata = _metadata(event)
        if Metadata.STATUS in metadata:
            return {
                name.removeprefix(PREFIX): value.value for name, value in metadata.items() if name.startswith(PREFIX)
            }
    return {}


def _metadata(event: Any) -> Mapping[str, Any]:
    data = event.event_specific_data
    if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
        return data.materialization.metadata
    if event.event_type == dg.DagsterEventType.STEP_FAILURE:
        return data.user_failure_data.metadata if data.user_failure_data else {}
    return getattr(data, "metadata", None) or {}


def _error(end: Any) -> str | None:
    if end is None or end.get_dagster_event().event_type != dg.DagsterEventType.STEP_FAILURE or _interrupted(end):
        return None
    data = end.get_dagster_event().event_specific_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else None
