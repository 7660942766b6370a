"""What ran and how it ended, read from Dagster's run and event storage; nothing is kept beside it.

An execution is one task's part in one Dagster run: a group's run holds several.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.plan.objects import ErrorSource

from mystocks_dagster.market.clock import SHANGHAI

#: A step in a job is named by its task, in an asset run by its task and this.
ASSET_SUFFIX = "__asset"
_ENDED = {
    dg.DagsterEventType.STEP_SUCCESS: "success",
    dg.DagsterEventType.STEP_FAILURE: "failed",
}
_TYPES = {
    *_ENDED,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_RESTARTED,
    dg.DagsterEventType.STEP_OUTPUT,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.LOGS_CAPTURED,
}
#: What a task's result is called in the metadata of its events.
_PREFIX = "mystocks/"
_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One task's run. Times are in Shanghai; `duration` is in seconds.

    Attributes:
        execution_id: `<run id>:<step>`.
        status: pending, running, success, partial_success, failed, skipped or cancelled.
        retry_count: Attempts beyond the first.
        result: What the task reported: rows by table, message, failed items.
        log_path: The captured stdout of the task, as a file.
    """

    execution_id: str
    task_id: str
    status: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    duration: float | None = None
    result: Mapping[str, Any] | None = None
    error_message: str | None = None
    log_path: str | None = None
    retry_count: int = 0
    run_id: str = ""
    job: str = ""
    params: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface and `--json` show it: the contract's `TaskExecution`."""
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """How often a task ran and how it went: the contract's `TaskStatistics`; `success_rate` in percent."""

    task_id: str
    task_name: str
    total_executions: int
    success_count: int
    failed_count: int
    avg_duration: float | None
    p95_duration: float | None
    last_execution_time: datetime | None
    last_status: str | None
    success_rate: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as the REST interface and `--json` show it."""
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(self).items()}


def executions(
    instance: dg.DagsterInstance,
    task_ids: Mapping[str, str],
    *,
    task_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Execution]:
    """Yield executions, those of the newest run first.

    Args:
        instance: Dagster's.
        task_ids: Dagster name to task id, for the tasks of today's file; other names stand for themselves.
        task_id: Only this task's.
        since: Only those that started at or after this aware time.
        until: Only those that started before this aware time.
    """
    cursor = None
    while records := instance.get_run_records(limit=_PAGE, cursor=cursor):
        for record in records:
            for execution in _of_run(instance, record, task_ids):
                if task_id in (None, execution.task_id) and _within(execution.start_time, since, until):
                    yield execution
        cursor = records[-1].dagster_run.run_id


def _within(moment: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    return moment is not None and (since is None or moment >= since) and (until is None or moment < until)


def statistics(found: Iterable[Execution], names: Mapping[str, str]) -> dict[str, Statistics]:
    """Return statistics by task id.

    Partial successes count as successes; skipped, cancelled and unfinished executions count in the total only.

    Args:
        found: Executions, newest first.
        names: Task id to task name: these tasks are present even when they never ran.
    """
    by_task: dict[str, list[Execution]] = {task_id: [] for task_id in names}
    for execution in found:
        by_task.setdefault(execution.task_id, []).append(execution)
    return {task_id: _statistics(task_id, names.get(task_id, task_id), those) for task_id, those in by_task.items()}


def _statistics(task_id: str, name: str, those: list[Execution]) -> Statistics:
    good = [one for one in those if one.status in ("success", "partial_success")]
    bad = [one for one in those if one.status == "failed"]
    durations = [one.duration for one in those if one.duration is not None and one.status in ("success", "partial_success", "failed")]
    last = those[0] if those else None
    return Statistics(
        task_id=task_id,
        task_name=name,
        total_executions=len(those),
        success_count=len(good),
        failed_count=len(bad),
        avg_duration=round(sum(durations) / len(durations), 3) if durations else None,
        p95_duration=sorted(durations)[math.ceil(0.95 * len(durations)) - 1] if durations else None,
        last_execution_time=last.start_time if last else None,
        last_status=last.status if last else None,
        success_rate=round(100 * len(good) / (len(good) + len(bad)), 2) if good or bad else None,
    )


def of_run(instance: dg.DagsterInstance, run_id: str, task_ids: Mapping[str, str]) -> list[Execution]:
    """Return the executions of one run, in the order in which they started; those not started come last."""
    record = instance.get_run_record_by_id(run_id)
    return list(reversed(list(_of_run(instance, record, task_ids)))) if record else []


def _of_run(instance: dg.DagsterInstance, record: Any, task_ids: Mapping[str, str]) -> Iterator[Execution]:
    """Yield the executions of one run, the last started first."""
    run = record.dagster_run
    steps: dict[str, list[Any]] = {}
    logs: dict[str, str] = {}
    for entry in instance.all_logs(run.run_id, of_type=_TYPES):
        event = entry.get_dagster_event()
        if event.event_type == dg.DagsterEventType.LOGS_CAPTURED:
            data: Any = event.event_specific_data
            logs |= dict.fromkeys(data.step_keys or (), data.file_key)
        elif event.step_key:
            steps.setdefault(event.step_key, []).append(entry)
    for step in reversed([*steps, *_waiting(instance, run, steps)]):
        name = step.removesuffix(ASSET_SUFFIX)
        log_path = _log_path(instance, run.run_id, logs[step]) if step in logs else None
        yield _execution(run, step, task_ids.get(name, name), steps.get(step, []), log_path)


def _waiting(instance: dg.DagsterInstance, run: Any, started: Mapping[str, Any]) -> list[str]:
    """Return the steps that an unfinished run will still start, or that a cancelled run will not."""
    if run.is_finished and run.status != dg.DagsterRunStatus.CANCELED:
        return []
    plan = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id) if run.execution_plan_snapshot_id else None
    return [step for step in plan.step_keys_to_execute if step not in started] if plan else []


def _execution(run: Any, step: str, task_id: str, entries: list[Any], log_path: str | None) -> Execution:
    starts = [
        entry
        for entry in entries
        if entry.get_dagster_event().event_type in (dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_RESTARTED)
    ]
    end = next((entry for entry in reversed(entries) if entry.get_dagster_event().event_type in _ENDED), None)
    told = _told(entries)
    start_time = _moment(starts[0].timestamp) if starts else None
    end_time = _moment(end.timestamp) if end else None
    return Execution(
        execution_id=f"{run.run_id}:{step}",
        task_id=told.pop("task_id", task_id),
        status=_status(run, starts, end, told.pop("status", None)),
        start_time=start_time,
        end_time=end_time,
        duration=round(end.timestamp - starts[0].timestamp, 3) if end and starts else None,
        result=told or None,
        error_message=_error(end),
        log_path=log_path,
        retry_count=max(len(starts) - 1, 0),
        run_id=run.run_id,
        job=run.job_name,
        params=run.run_config.get("ops", {}).get(step, {}).get("config"),
    )


def _status(run: Any, starts: list[Any], end: Any, told: str | None) -> str:
    if _interrupted(end):
        return "cancelled"
    if end is not None:
        reached = _ENDED[end.get_dagster_event().event_type]
        return told if reached == "success" and told else reached
    if run.status == dg.DagsterRunStatus.CANCELED:
        return "cancelled"
    if run.is_finished:
        return "failed"
    return "running" if starts else "pending"


def _interrupted(end: Any) -> bool:
    """Say whether a step ended because its run was stopped, which Dagster notes as a failure of the step."""
    data = end.get_dagster_event().event_specific_data if end is not None else None
    return getattr(data, "error_source", None) == ErrorSource.INTERRUPT


def _told(entries: list[Any]) -> dict[str, Any]:
    """Return what the task reported of itself, from the newest event that carries it."""
    for entry in reversed(entries):
        event = entry.get_dagster_event()
        metadata = _metadata(event)
        if f"{_PREFIX}status" in metadata:
            return {name.removeprefix(_PREFIX): value.value for name, value in metadata.items() if name.startswith(_PREFIX)}
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


def _log_path(instance: dg.DagsterInstance, run_id: str, file_key: str) -> str | None:
    manager: Any = instance.compute_log_manager
    if not hasattr(manager, "get_captured_local_path"):
        return None
    path = Path(manager.get_captured_local_path([run_id, "compute_logs", file_key], "out"))
    return str(path)


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, SHANGHAI)
