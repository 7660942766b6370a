"""Cron schedules: due times, skip reasons, and starts to make up for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.dagster_internals import TickStatus, schedule_execution_time_iterator
from mystocks_dagster.factory.evaluation import opened_instance, switch_state
from mystocks_dagster.factory.misfires import missed_reason, starts_to_make_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.downtime import NEVER, DaemonActivity
from mystocks_dagster.tags import Metadata, Tag
from mystocks_dagster.taskfile.schedule import Schedule

Answer = dg.RunRequest | dg.SkipReason
Evaluation = Callable[[dg.ScheduleEvaluationContext], Iterator[Answer]]
#: Limit of missed starts that are made up for at once.
CATCH_UP = 100
#: Limit of due times that are checked for unrequested starts.
_MAX_TIMES = 20_000


def build_schedule(scheduled: ScheduledJob) -> dg.ScheduleDefinition:
    """Return the schedule of a job with a cron expression."""
    schedule = scheduled.schedule
    if schedule.cron_expression is None:
        raise ValueError(f"{scheduled.job}: a schedule of type cron has no cron_expression")
    return dg.ScheduleDefinition(
        name=scheduled.switch,
        job_name=scheduled.job,
        cron_schedule=schedule.cron_expression,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if scheduled.active else dg.DefaultScheduleStatus.STOPPED,
        description=f"{scheduled.title}: {schedule.cron_expression} ({schedule.timezone})"
        + (", trading days only" if schedule.trading_days_only else ""),
        # The daemon reads it and evaluates the usual case itself; see docs/decisions/0063.
        metadata={**schedule_metadata(schedule), Metadata.EVALUATION: dg.MetadataValue.json(scheduled.to_json())},
        execution_fn=_evaluate(scheduled),
    )


def schedule_metadata(schedule: Schedule) -> dict[str, Any]:
    """Return the settings of a schedule as metadata for the UI."""
    return {Metadata.SETTINGS: dg.MetadataValue.json(schedule.model_dump(mode="json"))}


def _evaluate(scheduled: ScheduledJob) -> Evaluation:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[Answer]:
        instance = opened_instance(context)
        moment, activity = context.scheduled_execution_time, downtime.read(instance, now())
        if moment <= activity.off_until(scheduled.job):
            yield dg.SkipReason(f"{_local(scheduled, moment)} was due while the schedule was switched off.")
            return
        answers = _answers(scheduled, instance, moment, activity)
        requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
        reason = scheduled.busy(instance) if requests else None
        if reason and not _is_resumed(instance, scheduled, moment, requests):
            yield dg.SkipReason(reason)
        elif requests:
            yield from requests
        else:
            yield dg.SkipReason(
                "; ".join(answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason))
            )

    return evaluate


def _answers(
    scheduled: ScheduledJob, instance: dg.DagsterInstance, moment: datetime, activity: DaemonActivity
) -> list[Answer]:
    """Return the requests of all unrequested starts up to `moment`, and the skip reason of that at `moment`.

    Dagster itself requests only the last one of several missed or late starts.
    """
    last = tick(scheduled, moment)
    due = unrequested_starts(instance, scheduled, moment, activity)
    due += [moment] if isinstance(last, dg.RunRequest) else []
    missed, late = [time for time in due if time < activity.since], [time for time in due if time >= activity.since]
    made_up = starts_to_make_up(missed, scheduled.schedule, activity.moment, CATCH_UP, on_time=bool(late))
    runs = [last if time == moment else _caught_up(scheduled, tick(scheduled, time), time) for time in made_up]
    runs += [last if time == moment else tick(scheduled, time) for time in late]
    if isinstance(last, dg.SkipReason):
        return [*runs, last]
    return runs or [dg.SkipReason(missed_reason(scheduled.schedule, moment, activity.moment))]


def unrequested_starts(
    instance: dg.DagsterInstance, scheduled: ScheduledJob, moment: datetime, activity: DaemonActivity
) -> list[datetime]:
    """Return the last `CATCH_UP` starts before `moment`, in order, that no daemon requested and that may still run."""
    form = downtime.form(scheduled.schedule)
    first_seen = activity.first_seen(scheduled.job, form, NEVER)
    counted, interrupted = _counted_from(instance, scheduled, moment)
    since = max(counted, activity.off_until(scheduled.job), first_seen)
    starts: list[datetime] = []
    cron, zone = scheduled.schedule.cron_expression or "", scheduled.schedule.timezone
    times = schedule_execution_time_iterator(moment.timestamp(), cron, zone, ascending=False)
    for time in islice(times, _MAX_TIMES):
        missed = time < activity.since
        if time < since or len(starts) == CATCH_UP or (missed and scheduled.schedule.misfire == "skip"):
            break
        if time < moment and isinstance(tick(scheduled, time), dg.RunRequest):
            if not (interrupted and _is_requested(instance, scheduled, time)):
                starts.append(time)
            if missed and scheduled.schedule.misfire == "latest":
                break
    return starts[::-1]


def _counted_from(instance: dg.DagsterInstance, scheduled: ScheduledJob, moment: datetime) -> tuple[datetime, bool]:
    """Return the time from which the daemon counts, and whether a tick since then was interrupted.

    It is the last of its last ended tick, its last recorded iteration, and the time at which the schedule was switched
    on. An interrupted tick may have requested some of its starts: Dagster repeats it, unless a later one is due.
    """
    state = switch_state(instance, scheduled.switch)
    data: Any = state.instigator_data if state else None
    if state is None or data is None:
        return moment, False
    origin, before, interrupted = state.instigator_origin_id, moment.timestamp(), False
    while (ticks := instance.get_ticks(origin, state.selector_id, before=before, limit=1)) and _is_open(ticks[0]):
        before, interrupted = ticks[0].timestamp, True
    ended = ticks[0].timestamp + 1 if ticks else 0
    since = max(ended, data.start_timestamp or 0, data.last_iteration_timestamp or 0) or before
    return datetime.fromtimestamp(since, UTC), interrupted


def _is_resumed(
    instance: dg.DagsterInstance, scheduled: ScheduledJob, moment: datetime, requests: list[dg.RunRequest]
) -> bool:
    """Return whether an interrupted tick is continued: what makes the task busy are then runs of that tick itself."""
    due = (datetime.fromisoformat(request.tags[Tag.SCHEDULED_AT]) for request in requests)
    return _counted_from(instance, scheduled, moment)[1] or any(_is_requested(instance, scheduled, at) for at in due)


def _is_open(tick: Any) -> bool:
    """Return whether the daemon has not ended a tick: it was interrupted, or had no code server."""
    return tick.status == TickStatus.STARTED or (tick.status == TickStatus.FAILURE and tick.failure_count == 0)


def _is_requested(instance: dg.DagsterInstance, scheduled: ScheduledJob, moment: datetime) -> bool:
    """Return whether there is a run of a start; Dagster itself compares those of one tick only."""
    due = moment.astimezone(ZoneInfo(scheduled.schedule.timezone)).isoformat()
    return bool(instance.get_run_ids(dg.RunsFilter(job_name=scheduled.job, tags={Tag.SCHEDULED_AT: due}), limit=1))


def tick(scheduled: ScheduledJob, moment: datetime) -> Answer:
    """Return the run request of a start, or the reason why it is skipped.

    Args:
        scheduled: The job and its schedule, of any type.
        moment: Due time, aware; messages give it in the schedule's time zone.
    """
    schedule = scheduled.schedule
    moment = moment.astimezone(ZoneInfo(schedule.timezone))
    if schedule.start_time and moment < schedule.start_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is before start_time {schedule.start_time.isoformat()}.")
    if schedule.end_time and moment > schedule.end_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is after end_time {schedule.end_time.isoformat()}.")
    tags = {Tag.SCHEDULED_AT: moment.isoformat()}
    if schedule.schedule_type != "interval":  # an interval comes again by itself
        awaited = [time for publication in scheduled.published if (time := publication.awaited(moment))]
        tags |= {Tag.NOT_BEFORE: max(awaited).isoformat()} if awaited else {}
    if schedule.trading_days_only:
        day = moment.astimezone(SHANGHAI).date()
        session, certain = shanghai().is_probable_session(day)
        if not session:
            return dg.SkipReason(f"{day} ({day:%A}) is not a trading day in Shanghai.")
        if not certain:
            last = shanghai().last
            tags[Tag.CALENDAR] = (
                f"the trading calendar ends on {last}: {day} is assumed to be a trading day because it is a weekday; "
                "mystocks calendar --refresh"
            )
    return dg.RunRequest(run_key=f"{scheduled.job}:{moment.isoformat()}", job_name=scheduled.job, tags=tags)


def _local(scheduled: ScheduledJob, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(scheduled.schedule.timezone)):%Y-%m-%d %H:%M}"


def _caught_up(scheduled: ScheduledJob, answer: Answer, moment: datetime) -> Answer:
    """Tag a run that makes up for one of several missed starts with its trading day.

    With `misfire: latest` the run loads the latest data.
    """
    if isinstance(answer, dg.SkipReason) or scheduled.schedule.misfire != "all":
        return answer
    return answer.with_replaced_attrs(tags={**answer.tags, Tag.DAY: f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"})
