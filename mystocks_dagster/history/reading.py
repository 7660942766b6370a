"""Deriving the executions of a run from its events."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from mystocks_dagster.dagster_tables import DagsterTables, InstanceTables
from mystocks_dagster.history import dagster_json, run_table
from mystocks_dagster.history.dagster_json import Event, Run
from mystocks_dagster.history.models import Execution
from mystocks_dagster.history.record import Record
from mystocks_dagster.tags import PREFIX, Metadata, State, is_check, step_task
from mystocks_dagster.taskfile.secrets import mask

_STARTED = (dagster_json.STEP_START, dagster_json.STEP_RESTARTED)
_ENDED = {dagster_json.STEP_SUCCESS: State.SUCCESS, dagster_json.STEP_FAILURE: State.FAILED}
_TYPES = (
    *_ENDED,
    *_STARTED,
    dagster_json.STEP_OUTPUT,
    dagster_json.ASSET_MATERIALIZATION,
    dagster_json.LOGS_CAPTURED,
    dagster_json.RUN_FAILURE,
)


def of_run(instance: Any, run_id: str, task_ids: Mapping[str, str]) -> list[Execution]:
    """Return the executions of one run, in the order in which they started; those not started come last.

    Args:
        instance: The open Dagster instance.
        run_id: Id of the run.
        task_ids: Dagster name to task id, for the tasks of the current file; other names stay as they are.
    """
    tables = InstanceTables(instance)
    _, records = read(tables, [run_id]).get(run_id, (None, []))
    return [record.to_execution(tables, task_ids) for record in records]


def read(tables: DagsterTables, run_ids: Iterable[str]) -> dict[str, tuple[Run, list[Record]]]:
    """Return, by run id, each run and its executions, in the order in which they started."""
    # The runs before their events: a run that ends in between still counts as active, and is read again.
    runs = {run.run_id: run for run in run_table.runs(tables, list(run_ids))}
    texts = tables.events(runs, _TYPES)
    steps_of = cache(lambda plan: run_table.planned_steps(tables, plan))
    return {
        run_id: (run, list(_of_run(steps_of, run, [Event(text) for text in texts.get(run_id, ())])))
        for run_id, run in runs.items()
    }


def _of_run(steps_of: Callable[[str], Sequence[str]], run: Run, events: Sequence[Event]) -> Iterator[Record]:
    steps: dict[str, list[Event]] = {}
    logs: dict[str, str] = {}
    failure = None
    for event in events:
        if event.type == dagster_json.LOGS_CAPTURED:
            logs |= event.captured
        elif event.type == dagster_json.RUN_FAILURE:
            failure = event
        elif event.step and not is_check(event.step):
            steps.setdefault(event.step, []).append(event)
    for step in [*steps, *_not_started(steps_of, run, steps)]:
        yield _record(run, step, steps.get(step, []), logs.get(step), failure)


def _not_started(steps_of: Callable[[str], Sequence[str]], run: Run, started: Mapping[str, Any]) -> list[str]:
    """Return the steps without events of an active or cancelled run, or of one that failed before its first step."""
    failed = run.status == "FAILURE" and not started
    if run.finished and not failed and run.status != "CANCELED":
        return []
    steps = [step for step in steps_of(run.plan) if step not in started and not is_check(step)] if run.plan else []
    # Only the job's own task has failed, not its dependencies.
    return [run.job] if failed and run.job in steps else steps


def _record(run: Run, step: str, events: list[Event], log_key: str | None, failure: Event | None) -> Record:
    starts = [event for event in events if event.type in _STARTED]
    end = next((event for event in reversed(events) if event.type in _ENDED), None)
    result = _result(events)
    task = result.pop("task_id", step_task(step))
    status = _status(run, starts, end, result.pop("status", None))
    # The execution of a lost run has no end of its own.
    lost = failure if status == State.FAILED and end is None else None
    first = starts[0] if starts else lost
    return Record(
        run_id=run.run_id,
        step=step,
        job=run.job,
        task=task,
        status=status,
        start=first.timestamp if first else None,
        end=end.timestamp if end else None,
        retries=max(len(starts) - 1, 0),
        params=mask(run.config.get("ops", {}).get(step, {}).get("config")),
        result=result or None,
        error=lost.message if lost else _error(end),
        log_key=log_key,
    )


def _status(run: Run, starts: list[Event], end: Event | None, reported: str | None) -> str:
    if end is not None and end.interrupted:
        return State.CANCELLED
    if end is not None:
        reached = _ENDED[end.type]
        return reported if reached == State.SUCCESS and reported else reached
    if run.status == "CANCELED":
        return State.CANCELLED
    if run.finished:
        return State.FAILED
    return State.RUNNING if starts else State.PENDING


def _result(events: list[Event]) -> dict[str, Any]:
    """Return the result that the task reported, from the newest event with metadata."""
    for event in reversed(events):
        metadata = event.metadata(PREFIX)
        if Metadata.STATUS.removeprefix(PREFIX) in metadata:
            return metadata
    return {}


def _error(end: Event | None) -> str | None:
    failed = end is not None and end.type == dagster_json.STEP_FAILURE and not end.interrupted
    return end.error if end is not None and failed else None
