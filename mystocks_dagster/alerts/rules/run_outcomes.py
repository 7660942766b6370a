"""Rule: failed and partly successful tasks, crashing supervisors and recoveries are reported."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.alerts.message import Message
from mystocks_dagster.dagster_internals import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
    WILL_RETRY_TAG,
)
from mystocks_dagster.history import Execution
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.runs.auto_restart import restart_of, will_restart
from mystocks_dagster.tags import State, Tag
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.names import dagster_name
from mystocks_dagster.taskfile.secrets import MASK

_ENDS = (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED)
#: Events of several processes may become visible out of order, and Dagster decides shortly after a run's end whether
#: the run is started again: events younger than these seconds are read again by the next evaluation.
_SETTLED = 30
#: Runs that ended more seconds ago are not reported, as when alerts were switched off for a month.
_MAX_AGE = 24 * 3600
#: Seconds after which a lost run is reported if its restart did not happen.
_RESTART_PATIENCE = 600
_PAGE = 100
#: Restarts in a row from which a supervisor is reported as crashing.
_MAX_RESTARTS = 3
#: Seconds after which a running supervisor counts as recovered.
_STABLE = 300


class IdleDetector:
    """Detects with one query whether Dagster has written events recently."""

    def __init__(self) -> None:
        self._newest: int | None = -1
        self._changed = 0.0

    def is_idle(self, instance: dg.DagsterInstance) -> bool:
        """Whether no event was written for so long that all of them are settled and handled."""
        newest, moment = instance.event_log_storage.get_maximum_record_id(), time.monotonic()
        if newest != self._newest:
            self._newest, self._changed = newest, moment
        return moment - self._changed > 2 * _SETTLED


def evaluate(instance: dg.DagsterInstance, context: AlertContext, idle: IdleDetector) -> None:
    """Report the runs that have ended since the last evaluation, and failed tasks of runs that continue."""
    if context.ledger.last_event is None or not idle.is_idle(instance):
        _handle_ended_runs(instance, context)
    _report_missing_restarts(instance, context)
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]), limit=_PAGE):
        if Tag.GROUP_ID in run.tags and _has_failed_step(instance, run.run_id):
            _report_run(instance, context, run, context.moment.timestamp())
    _report_stable_supervisors(instance, context)


def _handle_ended_runs(instance: dg.DagsterInstance, context: AlertContext) -> None:
    ledger, newest = context.ledger, _newest(instance)
    if ledger.last_event is None or newest < ledger.last_event:
        # The first evaluation, or an emptied storage: earlier events are not reported.
        ledger.last_event, ledger.handled_runs = newest, []
    elif newest > ledger.last_event:
        _report_ended_runs(instance, context)


def _report_ended_runs(instance: dg.DagsterInstance, context: AlertContext) -> None:
    ledger, handled_before = context.ledger, set(context.ledger.handled_runs)
    settled, handled = ledger.last_event or 0, []
    unsettled = False
    for storage_id, run_id, ended in _ended(instance, ledger.last_event or 0):
        young = context.moment.timestamp() - ended < _SETTLED
        unsettled = unsettled or young
        if run_id not in handled_before:
            run = instance.get_run_by_id(run_id)
            if run is not None and young and _undecided(instance, run):
                continue
            if run is not None and will_restart(instance, run):
                ledger.awaiting_restart[run_id] = _moment(ended)
            elif run is not None and context.moment.timestamp() - ended < _MAX_AGE:
                _report_run(instance, context, run, ended)
        if unsettled:
            handled.append(run_id)
        else:
            settled = storage_id
    ledger.last_event, ledger.handled_runs = settled, list(dict.fromkeys(handled))


def _report_missing_restarts(instance: dg.DagsterInstance, context: AlertContext) -> None:
    """Report lost runs whose expected restart does not happen."""
    for run_id, ended in list(context.ledger.awaiting_restart.items()):
        run, age = instance.get_run_by_id(run_id), (context.moment - ended).total_seconds()
        if run is not None and will_restart(instance, run) and age < _RESTART_PATIENCE:
            continue
        del context.ledger.awaiting_restart[run_id]
        if run is not None:
            _report_run(instance, context, run, ended.timestamp())


def _newest(instance: dg.DagsterInstance) -> int:
    pages = [instance.fetch_run_status_changes(kind, limit=1).records for kind in _ENDS]
    return max((records[0].storage_id for records in pages if records), default=0)


def _ended(instance: dg.DagsterInstance, after: int) -> Iterator[tuple[int, str, float]]:
    """Yield event id, run id and end time of the runs that ended after an event, in order."""
    records: list[dg.EventLogRecord] = []
    for kind in _ENDS:
        records_filter = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after)
        records += instance.fetch_run_status_changes(records_filter, limit=_PAGE, ascending=True).records
    for record in sorted(records, key=lambda record: record.storage_id)[:_PAGE]:
        yield record.storage_id, record.run_id, record.timestamp


def _undecided(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether Dagster has not decided yet if a failed run is started again."""
    return run.status == dg.DagsterRunStatus.FAILURE and instance.run_retries_enabled and WILL_RETRY_TAG not in run.tags


def _has_failed_step(instance: dg.DagsterInstance, run_id: str) -> bool:
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records)


def _report_run(instance: dg.DagsterInstance, context: AlertContext, run: dg.DagsterRun, ended: float) -> None:
    task_ids = {name: entry.task_id for name, entry in context.entries.items() if isinstance(entry, Task)}
    executions = history.of_run(instance, run.run_id, task_ids)
    if run.tags.get(Tag.TASK_TYPE) == "supervisor":
        _report_supervisor(context, run, executions, ended)
        return
    restarted = run.status == dg.DagsterRunStatus.FAILURE and restart_of(instance, run) is not None
    for execution in sorted(executions, key=lambda row: row.end_time.timestamp() if row.end_time else ended):
        # In a lost run that is started again, only tasks that have ended are final.
        if execution.end_time or (run.is_finished and not restarted):
            _report_execution(instance, context, run, execution, ended)
    if run.status == dg.DagsterRunStatus.FAILURE and not executions and not restarted:
        _report_unstarted(instance, context, run, ended)


def _report_execution(
    instance: dg.DagsterInstance, context: AlertContext, run: dg.DagsterRun, execution: Execution, ended: float
) -> None:
    if execution.execution_id in context.ledger.recorded:
        return
    task_id, incident = execution.task_id, f"task:{execution.task_id}"
    moment, job = execution.end_time or _moment(ended), dagster_name(task_id)
    common: Mapping[str, Any] = {
        "key": execution.execution_id,
        "task_id": task_id,
        "name": context.name(job),
        "owner": context.owner(job),
        "time": moment,
        "link": context.links.run(execution.run_id),
    }
    match execution.status:
        case State.FAILED:
            reason = execution.error_message or _run_failure(instance, execution.run_id)
            command = _command(context, run, task_id, _changed(context.entries.get(job), execution.params))
            attempts = execution.retry_count + 1
            context.report(texts.failed(**common, reason=reason, attempts=attempts, command=command))
            context.open_incident(incident, moment)
        case State.PARTIAL_SUCCESS:
            context.report(_partly_done(context, run, execution, common))
            context.open_incident(incident, moment)
        case State.SUCCESS:
            failure = context.ledger.incidents.get(incident)
            if failure and failure.since < moment:
                context.close_incident(incident)
                context.report(texts.recovered(**common, since=failure.since))


def _partly_done(context: AlertContext, run: dg.DagsterRun, execution: Execution, common: Mapping[str, Any]) -> Message:
    result = execution.result or {}
    params = result.get("retry_params")
    # A task's `retry_params` contain the days too.
    repeat = isinstance(params, dict)
    command = texts.command(execution.task_id, params) if repeat else _command(context, run, execution.task_id)
    items = result.get("failed_items") or ()
    return texts.partly_done(**common, reason=result.get("message"), failed_items=items, command=command)


def _report_supervisor(context: AlertContext, run: dg.DagsterRun, executions: list[Execution], ended: float) -> None:
    job, entry = run.job_name, context.entries.get(run.job_name)
    restarts, incident = int(run.tags.get(Tag.RESTARTS, 0)), f"crash:{job}"
    if run.status == dg.DagsterRunStatus.CANCELED:
        context.close_incident(incident)
        return
    moment = _moment(ended)
    reason = next((row.error_message for row in executions if row.error_message), None)
    common = _supervisor(context, job, run.run_id, key=f"{run.run_id}:{job}", time=moment, reason=reason)
    if not (isinstance(entry, Task) and entry.auto_restart):
        if run.status == dg.DagsterRunStatus.FAILURE:
            context.report(texts.failed(attempts=1, command=texts.command(common["task_id"]), **common))
    elif restarts >= _MAX_RESTARTS and incident not in context.ledger.incidents:
        context.report(texts.crashing(restarts=restarts, **common))
        context.open_incident(incident, moment)


def _report_stable_supervisors(instance: dg.DagsterInstance, context: AlertContext) -> None:
    for incident in [name for name in context.ledger.incidents if name.startswith("crash:")]:
        job = incident.partition(":")[2]
        running = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])
        for record in instance.get_run_records(running, limit=1):
            stable = record.start_time and context.moment.timestamp() - record.start_time >= _STABLE
            if stable and (crash := context.close_incident(incident)):
                run_id = record.dagster_run.run_id
                common = _supervisor(context, job, run_id)
                context.report(texts.recovered(f"well:{run_id}", time=context.moment, since=crash.since, **common))


def _supervisor(context: AlertContext, job: str, run_id: str, **event: Any) -> dict[str, Any]:
    entry = context.entries.get(job)
    return {
        "task_id": entry.task_id if isinstance(entry, Task) else job,
        "name": context.name(job),
        "owner": context.owner(job),
        "link": context.links.run(run_id),
        **event,
    }


def _report_unstarted(instance: dg.DagsterInstance, context: AlertContext, run: dg.DagsterRun, ended: float) -> None:
    entry = context.entries.get(run.job_name)
    name = getattr(entry, "task_id", None) or getattr(entry, "group_id", None) or run.tags.get(Tag.TASK_ID, "")
    context.report(
        texts.run_failed(
            f"run:{run.run_id}",
            run.job_name,
            context.name(run.job_name),
            owner=context.owner(run.job_name),
            time=_moment(ended),
            reason=_run_failure(instance, run.run_id),
            link=context.links.run(run.run_id),
            command=_command(context, run, name),
        )
    )


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, SHANGHAI)


def _run_failure(instance: dg.DagsterInstance, run_id: str) -> str | None:
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE, limit=1).records:
        return record.event_log_entry.get_dagster_event().message
    return None


def _command(
    context: AlertContext, run: dg.DagsterRun, name: str, params: Mapping[str, Any] | None = None
) -> str | None:
    """Return the command that repeats a run.

    None for the project's own jobs, and for entries that are no longer in the file.
    """
    if dagster_name(name) not in context.entries:
        return None
    first = run.tags.get(ASSET_PARTITION_RANGE_START_TAG) or run.tags.get(PARTITION_NAME_TAG)
    return texts.command(name, params, (first, run.tags.get(ASSET_PARTITION_RANGE_END_TAG, first)) if first else None)


def _changed(entry: Any, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters that were given for this run only, without secrets."""
    if not isinstance(entry, Task):
        return {}
    given = {name: value for name, value in (params or {}).items() if value != entry.params.get(name)}
    # The history shows `***` for parameters with a secret name.
    return {name: value for name, value in given.items() if MASK not in str(value) and name not in entry.secrets}
