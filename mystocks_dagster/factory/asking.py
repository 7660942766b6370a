"""Asks for many starts of one minute at once: four commits for up to a hundred, instead of some ten for each.

Ticks and runs are those that Dagster's scheduler would write, in the same order: a tick is recorded as started, then
its run is created in the queue, then the tick is recorded as ended. A daemon that is killed in between leaves started
ticks, which Dagster's scheduler resumes: it finds the run of a tick by its tags, and asks for one only if there
is none.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import NOT_FINISHED_STATUSES, RUN_KEY_TAG, InstigatorType, TickData, TickStatus
from mystocks_dagster.dagster_tables import InstanceTables, marks
from mystocks_dagster.factory.due_starts import Start, is_usual
from mystocks_dagster.factory.run_template import RunTemplate
from mystocks_dagster.factory.schedules import Answer, tick
from mystocks_dagster.history.dagster_storage import event_storage, run_storage, schedule_storage
from mystocks_dagster.history.one_commit import one_commit
from mystocks_dagster.market import clock
from mystocks_dagster.runs import event_file
from mystocks_dagster.runs.max_instances import ActiveExecutions
from mystocks_dagster.scheduling import downtime


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A start that is being asked for.

    Attributes:
        start: The start.
        template: What its run has in common with others.
        tick: Dagster's InstigatorTick.
        run: Its run; None if it is skipped.
        reason: Why it is skipped.
    """

    start: Start
    template: RunTemplate
    tick: Any
    run: dg.DagsterRun | None = None
    reason: str | None = None


def ask(instance: dg.DagsterInstance, starts: Iterable[tuple[Start, RunTemplate]], now: datetime) -> list[Asked]:
    """Ask for those starts that are the usual case, and return them.

    Args:
        instance: Dagster's instance, with SQLite.
        starts: Starts and the templates of their runs.
        now: The present moment.

    Raises:
        LookupError: A clean-up has removed what a template needs.
        OSError: The disk is full.
    """
    asked = _evaluate(instance, _begin(instance, starts, now))
    requested = [one for one in asked if one.run]
    if requested:
        queued = _write_files(instance, requested)
        try:
            _store_runs(instance, requested)
        except BaseException:
            event_file.remove(event_storage(instance), queued)
            raise
        _store_events(instance, queued)
    _end(instance, asked)
    return asked


def _begin(instance: dg.DagsterInstance, starts: Iterable[tuple[Start, RunTemplate]], now: datetime) -> list[Asked]:
    """Record the ticks as started."""
    activity = downtime.read(instance, clock.now())
    with one_commit(schedule_storage(instance)):
        # All are read before the first is written: from then on, other writers wait.
        usual = [(start, template) for start, template in starts if is_usual(instance, start, activity, now)]
        return [
            Asked(start=start, template=template, tick=instance.create_tick(_tick(start))) for start, template in usual
        ]


def _tick(start: Start) -> TickData:
    return TickData(
        instigator_origin_id=start.origin,
        instigator_name=start.state.instigator_name,
        instigator_type=InstigatorType.SCHEDULE,
        status=TickStatus.STARTED,
        timestamp=start.moment.timestamp(),
        selector_id=start.selector,
    )


def _evaluate(instance: dg.DagsterInstance, begun: Sequence[Asked]) -> list[Asked]:
    executions = ActiveExecutions(instance, _waiting(instance))
    return [_decided(one, _answer(one.start, executions)) for one in begun]


def _waiting(instance: dg.DagsterInstance) -> set[str]:
    """Return the names of the jobs with runs that have not ended."""
    statuses = [status.value for status in NOT_FINISHED_STATUSES]
    query = f"SELECT DISTINCT pipeline_name FROM runs WHERE status IN ({marks(statuses)})"
    return {name for (name,) in InstanceTables(instance).rows("runs", query, statuses)}


def _answer(start: Start, executions: ActiveExecutions) -> Answer:
    scheduled = start.scheduled
    answer = tick(scheduled, start.moment)
    if isinstance(answer, dg.RunRequest) and scheduled.limit is not None:
        reason = executions.limit_reached(scheduled.job, scheduled.limit)
        return dg.SkipReason(reason) if reason else answer
    return answer


def _decided(one: Asked, answer: Answer) -> Asked:
    if isinstance(answer, dg.SkipReason):
        return replace(one, reason=answer.skip_message)
    tags = dg.DagsterRun.tags_for_tick_id(str(one.tick.tick_id))
    return replace(one, run=one.template.make(answer, one.start.moment, tags))


def _write_files(instance: dg.DagsterInstance, requested: Sequence[Asked]) -> dict[str, Any]:
    """Write the files of the runs' events, and return for each run the insertion of its event that it is queued."""
    events = event_storage(instance)
    queued = {one.run.run_id: events.prepare_insert_event(_queued(one.run)) for one in requested if one.run}
    event_file.write(events, queued)
    return queued


def _store_runs(instance: dg.DagsterInstance, requested: Sequence[Asked]) -> None:
    """Store the runs, which are then in the queue."""
    runs = run_storage(instance)
    with one_commit(runs) as connection:
        for one in requested:
            runs.add_run(one.run)
        needed = list({name for one in requested for name in one.template.snapshots})
        query = f"SELECT count(*) FROM snapshots WHERE snapshot_id IN ({marks(needed)})"
        if connection.exec_driver_sql(query, tuple(needed)).scalar_one() != len(needed):
            raise LookupError("A clean-up has removed the snapshot of a job.")


def _store_events(instance: dg.DagsterInstance, queued: Mapping[str, Any]) -> None:
    """Store in the index of all runs that the runs are queued."""
    with one_commit(event_storage(instance)) as connection:
        for insertion in queued.values():
            connection.execute(insertion)


def _queued(run: dg.DagsterRun) -> dg.EventLogEntry:
    event = dg.DagsterEvent.job_enqueue(run)
    return dg.EventLogEntry(
        user_message="",
        level=20,
        job_name=run.job_name,
        run_id=run.run_id,
        error_info=None,
        timestamp=time.time(),
        dagster_event=event,
    )


def _end(instance: dg.DagsterInstance, asked: Sequence[Asked]) -> None:
    """Record the ticks as ended, and remove old ones as dagster.yaml says."""
    kept: Mapping[Any, int] = instance.get_tick_retention_settings(InstigatorType.SCHEDULE)
    with one_commit(schedule_storage(instance)):
        for one in asked:
            ended = one.tick.with_status(TickStatus.SUCCESS if one.run else TickStatus.SKIPPED)
            if one.run:
                ended = ended.with_run_info(one.run.run_id, one.run.tags[RUN_KEY_TAG])
            if one.reason:
                ended = ended.with_reason(skip_reason=one.reason)
            instance.update_tick(ended)
            for status, days in kept.items():
                if days > 0:
                    before = one.start.moment - timedelta(days=days)
                    origin, selector = one.start.origin, one.start.selector
                    instance.purge_ticks(origin, selector, before.timestamp(), tick_statuses=[status])
