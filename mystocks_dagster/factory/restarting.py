"""The daemon that restarts lost runs, also those that Dagster's own daemon overlooks.

Dagster stores the event of a run's failure before the run's status. Its daemon reads the events. If it reads the event
before the status is stored, it ignores the run for ever. It also gives up at the first error, as when the code location
is loading. See docs/decisions/0005.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    CONSUMED_EVENTS,
    MAX_RETRIES_TAG,
    WILL_RETRY_TAG,
    EventLogConsumerDaemon,
    create_cursor_key,
    retry_run,
    should_retry,
)
from mystocks_dagster.runs.auto_restart import restart_of
from mystocks_dagster.runs.stop import is_stopped

#: Runs that were lost earlier are not restarted, as for alerts.
_MAX_AGE = timedelta(days=1)
#: How far back a daemon that starts looks for lost runs that became too old while it was down.
_LONGEST_DOWN = timedelta(days=30)
#: A process that reports a failure decides shortly after whether the run is restarted; a killed process never does.
_UNDECIDED = timedelta(seconds=15)
_OVERLAP = timedelta(minutes=2)
#: What Dagster writes into the log of a run that it could not restart, before it takes the promise back.
_DAGSTERS_FAILURE = "Failed to retry run"
#: Tries to restart a run, one every 5 s.
_MAX_TRIES = 24


class RestartDaemon(EventLogConsumerDaemon):
    """Dagster's daemon, which reads failures from the event log, extended by the failures that it overlooks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tries: Counter[str] = Counter()
        self._checked_until: datetime | None = None

    def run_iteration(self, workspace_process_context: Any) -> Generator[Any]:
        """Restart the lost runs that are due."""
        instance = workspace_process_context.instance
        if self._checked_until is None:
            _begin_at_newest_event(instance)
        yield from super().run_iteration(workspace_process_context)
        if not instance.run_retries_enabled:
            return
        moment, since = datetime.fromtimestamp(time.time(), UTC), self._checked_until
        for run in outdated_runs(instance, moment, since or moment - _LONGEST_DOWN):
            yield
            _give_up(instance, run, "The run was lost more than a day ago, so it is not restarted.")
        for run in overlooked_runs(instance, moment, since - _OVERLAP if since else moment - _MAX_AGE):
            yield
            self._tries[run.run_id] += 1
            restart(workspace_process_context, run, self._logger, last=self._tries[run.run_id] >= _MAX_TRIES)
        self._checked_until = moment


def _begin_at_newest_event(instance: dg.DagsterInstance) -> None:
    """Store where an instance's first daemon begins to read: where Dagster's does, which warns of it at each start.

    What was lost before is not passed over, since runs are searched too.
    """
    storage, keys = instance.daemon_cursor_storage, {create_cursor_key(kind) for kind in CONSUMED_EVENTS}
    if missing := keys - storage.get_cursor_values(keys).keys():
        newest = instance.event_log_storage.get_maximum_record_id() or 0
        storage.set_cursor_values(dict.fromkeys(missing, str(newest)))


def overlooked_runs(instance: dg.DagsterInstance, moment: datetime, since: datetime) -> list[dg.DagsterRun]:
    """Return the failed runs of the last day that must be restarted and are not yet.

    Args:
        instance: Dagster's instance.
        moment: Now.
        since: Start of the search for runs without a decision.
    """

    def failed(tag: str, value: str, after: datetime) -> Any:
        return instance.get_run_records(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={tag: value}, updated_after=after)
        )

    promised = [record.dagster_run for record in failed(WILL_RETRY_TAG, "true", moment - _MAX_AGE)]
    undecided = [
        record.dagster_run
        for record in failed(MAX_RETRIES_TAG, "1", since)
        if WILL_RETRY_TAG not in record.dagster_run.tags and moment - _aware(record.update_timestamp) > _UNDECIDED
    ]
    taken_back = [
        _promised_again(instance, record.dagster_run)
        for record in failed(WILL_RETRY_TAG, "false", since)
        if record.dagster_run.tags.get(MAX_RETRIES_TAG) == "1" and _is_taken_back(instance, record.dagster_run)
    ]
    return [run for run in (*promised, *undecided, *taken_back) if restart_of(instance, run) is None]


def outdated_runs(instance: dg.DagsterInstance, moment: datetime, since: datetime) -> list[dg.DagsterRun]:
    """Return the lost runs that were to be restarted and became too old for it since a moment.

    The machine was off, or its clock was set forward.
    """
    lost = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        tags={MAX_RETRIES_TAG: "1"},
        updated_after=since - _MAX_AGE,
        updated_before=moment - _MAX_AGE,
    )
    runs = [record.dagster_run for record in instance.get_run_records(lost)]
    return [run for run in runs if run.tags.get(WILL_RETRY_TAG) != "false" and restart_of(instance, run) is None]


def _promised_again(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """Set the tag that alerts and Dagster's functions read, and return the run with it."""
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "true"})
    return run.with_tags({**run.tags, WILL_RETRY_TAG: "true"})


def _is_taken_back(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether Dagster gave a restart up at its first error, as when the code location is loading."""
    events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    return bool(events) and events[-1].message == _DAGSTERS_FAILURE


def restart(workspace: Any, run: dg.DagsterRun, log: logging.Logger, *, last: bool) -> None:
    """Restart a lost run as Dagster does; record a reason if it must not, or finally cannot, be restarted.

    Args:
        workspace: The daemon's workspace.
        run: A failed run.
        log: The daemon's log.
        last: Whether this is the last try.
    """
    instance = workspace.instance
    if is_stopped(instance, run.run_id):
        _give_up(instance, run, "The run was stopped, so it is not restarted.")
        return
    try:
        if not should_retry(run, instance):
            instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
            return
        retry_run(run, workspace)
    except Exception:
        # The code location may be loading at this moment.
        log.exception("The lost run %s could not be restarted", run.run_id)
    current = instance.get_run_by_id(run.run_id)
    if last and current is not None and restart_of(instance, current) is None:
        _give_up(instance, run, "The run could not be restarted; the reason is in the daemon's log.")


def _give_up(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: str) -> None:
    instance.report_engine_event(reason, run)
    # Alerts wait for this tag before they report the failure.
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
