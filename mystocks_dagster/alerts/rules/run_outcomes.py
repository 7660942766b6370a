"""What is told of runs: a task that failed for good, was partly done, crashes again and again, or is well again."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from mystocks_dagster import history
from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
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
#: Events of several processes may become visible out of order, and Dagster says a moment after a run's end whether it
#: is started again: events younger than these seconds are read again with the next look.
_SETTLED = 30
#: What ended before is no news any more, as when alerts were switched off for a month.
_NEWS = 24 * 3600
#: Seconds after which a lost run that was to be started again, and was not, is told.
_LOST = 600
_PAGE = 100
#: From how many restarts of a supervisor in a row on it is told.
_MANY = 3
#: Seconds after which a supervisor that runs is taken for well.
_WELL = 300


class IdleDetector:
    """Knows whether events have been written of late, for the price of one question; asks in vain after none were."""

    def __init__(self) -> None:
        self._newest: int | None = -1
        self._changed = 0.0

    def now(self, instance: dg.DagsterInstance) -> bool:
        """Say whether nothing was written for so long that everything before is settled, and was looked at since."""
        newest, moment = instance.event_log_storage.get_maximum_record_id(), time.monotonic()
        if newest != self._newest:
            self._newest, self._changed = newest, moment
        return moment - self._changed > 2 * _SETTLED


def look(instance: dg.DagsterInstance, desk: AlertContext, quiet: IdleDetector) -> None:
    """Tell of the runs that have ended since the last look, and of tasks that failed in runs that go on."""
    if desk.ledger.event is None or not quiet.now(instance):
        _look_at_ends(instance, desk)
    _look_at_awaited(instance, desk)
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]), limit=_PAGE):
        if Tag.GROUP_ID in run.tags and _has_failed_step(instance, run.run_id):
            _tell_run(instance, desk, run, desk.moment.timestamp())
    _tell_well_again(instance, desk)


def _look_at_ends(instance: dg.DagsterInstance, desk: AlertContext) -> None:
    ledger, newest = desk.ledger, _newest(instance)
    if ledger.event is None or newest < ledger.event:
        # The first look, or a storage that has been emptied: what was before is not news.
        ledger.event, ledger.ended = newest, []
    elif newest > ledger.event:
        _tell_ended(instance, desk)


def _tell_ended(instance: dg.DagsterInstance, desk: AlertContext) -> None:
    ledger, told = desk.ledger, set(desk.ledger.ended)
    settled, kept = ledger.event or 0, []
    open_end = False
    for storage_id, run_id, ended in _ended(instance, ledger.event or 0):
        young = desk.moment.timestamp() - ended < _SETTLED
        open_end = open_end or young
        if run_id not in told:
            run = instance.get_run_by_id(run_id)
            if run is not None and young and _undecided(instance, run):
                continue
            if run is not None and will_restart(instance, run):
                ledger.awaited[run_id] = _moment(ended)
            elif run is not None and desk.moment.timestamp() - ended < _NEWS:
                _tell_run(instance, desk, run, ended)
        if open_end:
            kept.append(run_id)
        else:
            settled = storage_id
    ledger.event, ledger.ended = settled, list(dict.fromkeys(kept))


def _look_at_awaited(instance: dg.DagsterInstance, desk: AlertContext) -> None:
    """Tell of lost runs that are not started again after all; what is, is no news."""
    for run_id, ended in list(desk.ledger.awaited.items()):
        run, age = instance.get_run_by_id(run_id), (desk.moment - ended).total_seconds()
        if run is not None and will_restart(instance, run) and age < _LOST:
            continue
        del desk.ledger.awaited[run_id]
        if run is not None:
            _tell_run(instance, desk, run, ended.timestamp())


def _newest(instance: dg.DagsterInstance) -> int:
    found = [instance.fetch_run_status_changes(kind, limit=1).records for kind in _ENDS]
    return max((records[0].storage_id for records in found if records), default=0)


def _ended(instance: dg.DagsterInstance, after: int) -> Iterator[tuple[int, str, float]]:
    """Yield event id, run id and time of the runs that ended after an event, in order."""
    found = []
    for kind in _ENDS:
        wanted = dg.RunStatusChangeRecordsFilter(kind, after_storage_id=after)
        found += instance.fetch_run_status_changes(wanted, limit=_PAGE, ascending=True).records
    for record in sorted(found, key=lambda record: record.storage_id)[:_PAGE]:
        yield record.storage_id, record.run_id, record.timestamp


def _undecided(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Say whether Dagster has yet to say if a failed run is started again."""
    return run.status == dg.DagsterRunStatus.FAILURE and instance.run_retries_enabled and WILL_RETRY_TAG not in run.tags


def _has_failed_step(instance: dg.DagsterInstance, run_id: str) -> bool:
    return bool(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE, limit=1).records)


def _tell_run(instance: dg.DagsterInstance, desk: AlertContext, run: dg.DagsterRun, ended: float) -> None:
    task_ids = {name: entry.task_id for name, entry in desk.entries.items() if isinstance(entry, Task)}
    executions = history.of_run(instance, run.run_id, task_ids)
    if run.tags.get(Tag.TASK_TYPE) == "supervisor":
        _tell_supervisor(desk, run, executions, ended)
        return
    again = run.status == dg.DagsterRunStatus.FAILURE and restart_of(instance, run) is not None
    for execution in sorted(executions, key=lambda one: one.end_time.timestamp() if one.end_time else ended):
        # A lost run that is started again has not made its last attempt; what a task of it said itself is said.
        if execution.end_time or (run.is_finished and not again):
            _tell_execution(instance, desk, run, execution, ended)
    if run.status == dg.DagsterRunStatus.FAILURE and not executions and not again:
        _tell_unstarted(instance, desk, run, ended)


def _tell_execution(
    instance: dg.DagsterInstance, desk: AlertContext, run: dg.DagsterRun, execution: Execution, ended: float
) -> None:
    if execution.execution_id in desk.ledger.told:
        return
    moment = execution.end_time or _moment(ended)
    job = dagster_name(execution.task_id)
    about: Mapping[str, Any] = {
        "key": execution.execution_id,
        "task_id": execution.task_id,
        "name": desk.name(job),
        "owner": desk.owner(job),
        "time": moment,
    }
    link, result = desk.links.run(execution.run_id), execution.result or {}
    match execution.status:
        case State.FAILED:
            reason = execution.error_message or _run_failure(instance, execution.run_id)
            command = _command(desk, run, execution.task_id, _changed(desk.entries.get(job), execution.params))
            desk.say(
                texts.failed(**about, reason=reason, attempts=execution.retry_count + 1, link=link, command=command)
            )
            desk.wrong(f"task:{execution.task_id}", moment)
        case State.PARTIAL_SUCCESS:
            items, again = result.get("failed_items") or (), result.get("retry_params")
            # What a task gives to be repeated with says the days too.
            command = (
                texts.command(execution.task_id, again)
                if isinstance(again, dict)
                else _command(desk, run, execution.task_id)
            )
            desk.say(
                texts.partly_done(**about, reason=result.get("message"), failed_items=items, link=link, command=command)
            )
            desk.wrong(f"task:{execution.task_id}", moment)
        case State.SUCCESS:
            incident = desk.ledger.open.get(f"task:{execution.task_id}")
            if incident and incident.since < moment and (over := desk.right(f"task:{execution.task_id}")):
                desk.say(texts.recovered(**about, since=over.since, link=link))


def _tell_supervisor(desk: AlertContext, run: dg.DagsterRun, executions: list[Execution], ended: float) -> None:
    job, entry = run.job_name, desk.entries.get(run.job_name)
    restarts, incident = int(run.tags.get(Tag.RESTARTS, 0)), f"crash:{run.job_name}"
    if run.status == dg.DagsterRunStatus.CANCELED:
        desk.ledger.open.pop(incident, None)
        return
    task_id = entry.task_id if isinstance(entry, Task) else job
    reason = next((one.error_message for one in executions if one.error_message), None)
    about: Mapping[str, Any] = {
        "task_id": task_id,
        "name": desk.name(job),
        "owner": desk.owner(job),
        "time": _moment(ended),
        "reason": reason,
    }
    key, link = f"{run.run_id}:{job}", desk.links.run(run.run_id)
    if not (isinstance(entry, Task) and entry.auto_restart):
        if run.status == dg.DagsterRunStatus.FAILURE:
            desk.say(texts.failed(key, attempts=1, link=link, command=texts.command(task_id), **about))
    elif restarts >= _MANY and incident not in desk.ledger.open:
        desk.say(texts.crashing(key, restarts=restarts, link=link, **about))
        desk.wrong(incident, about["time"])


def _tell_well_again(instance: dg.DagsterInstance, desk: AlertContext) -> None:
    for incident in [name for name in desk.ledger.open if name.startswith("crash:")]:
        job = incident.partition(":")[2]
        running = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])
        for record in instance.get_run_records(running, limit=1):
            if (
                record.start_time
                and desk.moment.timestamp() - record.start_time >= _WELL
                and (over := desk.right(incident))
            ):
                entry, run_id = desk.entries.get(job), record.dagster_run.run_id
                task_id = entry.task_id if isinstance(entry, Task) else job
                about: Mapping[str, Any] = {
                    "task_id": task_id,
                    "name": desk.name(job),
                    "owner": desk.owner(job),
                    "link": desk.links.run(run_id),
                }
                desk.say(texts.recovered(f"well:{run_id}", time=desk.moment, since=over.since, **about))


def _tell_unstarted(instance: dg.DagsterInstance, desk: AlertContext, run: dg.DagsterRun, ended: float) -> None:
    entry = desk.entries.get(run.job_name)
    name = getattr(entry, "task_id", None) or getattr(entry, "group_id", None) or run.tags.get(Tag.TASK_ID, "")
    desk.say(
        texts.run_failed(
            f"run:{run.run_id}",
            run.job_name,
            desk.name(run.job_name),
            owner=desk.owner(run.job_name),
            time=_moment(ended),
            reason=_run_failure(instance, run.run_id),
            link=desk.links.run(run.run_id),
            command=_command(desk, run, name),
        )
    )


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, SHANGHAI)


def _run_failure(instance: dg.DagsterInstance, run_id: str) -> str | None:
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE, limit=1).records:
        return record.event_log_entry.get_dagster_event().message
    return None


def _command(desk: AlertContext, run: dg.DagsterRun, name: str, params: Mapping[str, Any] | None = None) -> str | None:
    """Return the command that does the same again.

    None for the project's own jobs, and for what is no longer in the file.
    """
    if dagster_name(name) not in desk.entries:
        return None
    first = run.tags.get(ASSET_PARTITION_RANGE_START_TAG) or run.tags.get(PARTITION_NAME_TAG)
    return texts.command(name, params, (first, run.tags.get(ASSET_PARTITION_RANGE_END_TAG, first)) if first else None)


def _changed(entry: Any, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters that were given for this run only, without secret ones."""
    if not isinstance(entry, Task):
        return {}
    given = {name: value for name, value in (params or {}).items() if value != entry.params.get(name)}
    # The history has stars for those with a secret name.
    return {name: value for name, value in given.items() if MASK not in str(value) and name not in entry.secrets}
