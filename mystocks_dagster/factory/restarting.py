"""Starts a lost run again also when Dagster has passed it by.

Dagster stores the event of a run's failure before the run's status. Its daemon, which reads the events, may meet the
event in between: it sees a run that has not failed, and never looks at it again. See docs/decisions/0005.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import (
    MAX_RETRIES_TAG,
    WILL_RETRY_TAG,
    EventLogConsumerDaemon,
    retry_run,
    should_retry,
)
from mystocks_dagster.runs.auto_restart import restart_of
from mystocks_dagster.runs.stop import is_stopped

#: What was lost before is no news any more, as for alerts.
_NEWS = timedelta(days=1)
#: Who reports a failure writes a moment later whether the run is started again; a killed one never does.
_UNDECIDED = timedelta(seconds=15)
_OVERLAP = timedelta(minutes=2)
#: Looks, one every 5 s, in which a run that should be started again can still not be.
_PATIENCE = 24


class RestartDaemon(EventLogConsumerDaemon):
    """Dagster's own, which reads failures from the event log, and then looks for those that it has passed by."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tries: Counter[str] = Counter()
        self._looked: datetime | None = None

    def run_iteration(self, workspace_process_context: Any) -> Generator[Any]:
        """Look once."""
        yield from super().run_iteration(workspace_process_context)
        instance = workspace_process_context.instance
        if not instance.run_retries_enabled:
            return
        moment, since = datetime.fromtimestamp(time.time(), UTC), self._looked
        for run in passed_by(instance, moment, since - _OVERLAP if since else moment - _NEWS):
            yield
            self._tries[run.run_id] += 1
            start_again(workspace_process_context, run, self._logger, last=self._tries[run.run_id] >= _PATIENCE)
        self._looked = moment


def passed_by(instance: dg.DagsterInstance, moment: datetime, since: datetime) -> list[dg.DagsterRun]:
    """Return the failed runs of the last day that are to be started again and have not been.

    Args:
        instance: Dagster's.
        moment: Now.
        since: Runs of which nobody has said whether they are started again are asked for from here on.
    """

    def failed(tag: str, value: str, after: datetime) -> Any:
        return instance.get_run_records(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], tags={tag: value}, updated_after=after)
        )

    promised = [record.dagster_run for record in failed(WILL_RETRY_TAG, "true", moment - _NEWS)]
    undecided = [
        record.dagster_run
        for record in failed(MAX_RETRIES_TAG, "1", since)
        if WILL_RETRY_TAG not in record.dagster_run.tags and moment - _aware(record.update_timestamp) > _UNDECIDED
    ]
    return [run for run in (*promised, *undecided) if restart_of(instance, run) is None]


def start_again(workspace: Any, run: dg.DagsterRun, log: logging.Logger, *, last: bool) -> None:
    """Start a lost run again, as Dagster would have; when it must not be, or cannot be at the last try, say so.

    Args:
        workspace: The daemon's.
        run: A failed run.
        log: The daemon's.
        last: Whether it is not tried again.
    """
    instance = workspace.instance
    if is_stopped(instance, run.run_id):
        _give_up(instance, run, "It was stopped, so it is not started again.")
        return
    try:
        if not should_retry(run, instance):
            instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})
            return
        retry_run(run, workspace)
    except Exception:
        # The code location may be loading this moment.
        log.exception("The lost run %s could not be started again", run.run_id)
    current = instance.get_run_by_id(run.run_id)
    if last and current is not None and restart_of(instance, current) is None:
        _give_up(instance, run, "It could not be started again; the daemon's log says why.")


def _give_up(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    instance.report_engine_event(why, run)
    # For this alerts wait: the failure is told now.
    instance.add_run_tags(run.run_id, {WILL_RETRY_TAG: "false"})


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
