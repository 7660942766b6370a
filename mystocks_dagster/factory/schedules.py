"""Cron schedules: when a job is started, in whose time zone, and why it was not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorType, TickStatus, schedule_execution_time_iterator
from mystocks_dagster.factory.misfires import left_out, made_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.downtime import NEVER, DaemonLooks
from mystocks_dagster.tags import Metadata, Tag
from mystocks_dagster.taskfile.schedule import Schedule

Answer = dg.RunRequest | dg.SkipReason
Evaluation = Callable[[dg.ScheduleEvaluationContext], Iterator[Answer]]
#: At most this many missed starts are made up for at once.
CATCH_UP = 100
#: So many times of a schedule are looked at for the starts that nobody asked for.
_FURTHEST = 20_000


def build_schedule(one: ScheduledJob) -> dg.ScheduleDefinition:
    """Return the schedule of a job that is started by cron."""
    schedule = one.schedule
    if schedule.cron_expression is None:
        raise ValueError(f"{one.job}: a schedule of type cron has no cron_expression")
    return dg.ScheduleDefinition(
        name=one.switch,
        job_name=one.job,
        cron_schedule=schedule.cron_expression,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if one.active else dg.DefaultScheduleStatus.STOPPED,
        description=f"{one.title}: {schedule.cron_expression} ({schedule.timezone})"
        + (", trading days only" if schedule.trading_days_only else ""),
        metadata=schedule_metadata(schedule),
        execution_fn=_evaluate(one),
    )


def schedule_metadata(schedule: Schedule) -> dict[str, Any]:
    """Return the schedule as the file has it, for people."""
    return {Metadata.SETTINGS: dg.MetadataValue.json(schedule.model_dump(mode="json"))}


def _evaluate(one: ScheduledJob) -> Evaluation:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[Answer]:
        moment, looks = context.scheduled_execution_time, downtime.read(context.instance, now())
        if moment <= looks.off_until(one.job):
            yield dg.SkipReason(f"{_local(one, moment)} was due while the schedule was switched off.")
            return
        answers = _answers(one, context.instance, moment, looks)
        requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
        if requests and one.limit is not None and (reason := limit_reached(context.instance, one.job, one.limit)):
            yield dg.SkipReason(reason)
        elif requests:
            yield from requests
        else:
            yield dg.SkipReason(
                "; ".join(answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason))
            )

    return evaluate


def _answers(one: ScheduledJob, instance: dg.DagsterInstance, moment: datetime, looks: DaemonLooks) -> list[Answer]:
    """Say of each start that nobody has asked for, up to the one at `moment`, whether it runs.

    Why not, of that one only.

    Dagster itself asks for the last one only, of those that were missed and of those that a slow daemon comes to late.
    """
    last = tick(one, moment)
    due = [*earlier(instance, one, moment, looks), *((moment,) if isinstance(last, dg.RunRequest) else ())]
    missed, late = [time for time in due if time < looks.since], [time for time in due if time >= looks.since]
    kept = made_up(missed, one.schedule, looks.moment, CATCH_UP, on_time=bool(late))
    runs = [last if time == moment else _caught_up(one, tick(one, time), time) for time in kept]
    runs += [last if time == moment else tick(one, time) for time in late]
    if isinstance(last, dg.SkipReason):
        return [*runs, last]
    return runs or [dg.SkipReason(left_out(one.schedule, moment, looks.moment))]


def earlier(instance: dg.DagsterInstance, one: ScheduledJob, moment: datetime, looks: DaemonLooks) -> list[datetime]:
    """Return the starts before `moment` that no daemon asked for and that misfire may want, in order.

    At most the last `CATCH_UP`.
    """
    form = downtime.form(one.schedule)
    since = max(_counted_from(instance, one, moment), looks.off_until(one.job), looks.first_seen(one.job, form, NEVER))
    found: list[datetime] = []
    cron, zone = one.schedule.cron_expression or "", one.schedule.timezone
    times = schedule_execution_time_iterator(moment.timestamp(), cron, zone, ascending=False)
    for time in islice(times, _FURTHEST):
        missed = time < looks.since
        if time < since or len(found) == CATCH_UP or (missed and one.schedule.misfire == "skip"):
            break
        if time < moment and isinstance(tick(one, time), dg.RunRequest):
            found.append(time)
            if missed and one.schedule.misfire == "latest":
                break
    return found[::-1]


def _counted_from(instance: dg.DagsterInstance, one: ScheduledJob, moment: datetime) -> datetime:
    """Return from where Dagster's daemon counts.

    Its last tick, its last note that it was there, or when the schedule was switched on.
    """
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    state = next((state for state in states if state.instigator_name == one.switch), None)
    data: Any = state.instigator_data if state else None
    if state is None or data is None:
        return moment
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, before=moment.timestamp(), limit=1)
    since = max(_after(ticks[0]) if ticks else 0, data.start_timestamp or 0, data.last_iteration_timestamp or 0)
    return datetime.fromtimestamp(since, UTC) if since else moment


def _after(tick: Any) -> float:
    """Return from where it goes on after a tick.

    One that was interrupted, or found no code server, is made again, as Dagster does.
    """
    again = tick.status == TickStatus.STARTED or (tick.status == TickStatus.FAILURE and tick.failure_count == 0)
    return tick.timestamp if again else tick.timestamp + 1


def tick(one: ScheduledJob, moment: datetime) -> Answer:
    """Say whether the job starts at `moment`, an aware time, or why it does not; times are told in the schedule's zone.

    Args:
        one: The job and its schedule, of any type.
        moment: When it is due.
    """
    schedule = one.schedule
    moment = moment.astimezone(ZoneInfo(schedule.timezone))
    if schedule.start_time and moment < schedule.start_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is before start_time {schedule.start_time.isoformat()}.")
    if schedule.end_time and moment > schedule.end_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is after end_time {schedule.end_time.isoformat()}.")
    tags = {Tag.SCHEDULED_AT: moment.isoformat()}
    if schedule.trading_days_only:
        day = moment.astimezone(SHANGHAI).date()
        session, certain = shanghai().is_probable_session(day)
        if not session:
            return dg.SkipReason(f"{day} ({day:%A}) is not a trading day in Shanghai.")
        if not certain:
            guess = (
                f"the trading calendar ends on {shanghai().last}: {day} is taken for a trading day "
                "because it is a weekday"
            )
            tags[Tag.CALENDAR] = f"{guess}; mystocks calendar --refresh"
    return dg.RunRequest(run_key=f"{one.job}:{moment.isoformat()}", job_name=one.job, tags=tags)


def _local(one: ScheduledJob, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(one.schedule.timezone)):%Y-%m-%d %H:%M}"


def _caught_up(one: ScheduledJob, answer: Answer, moment: datetime) -> Answer:
    """Tell a run that makes up for one of several missed starts which trading day it is about.

    A latest start is about the latest data.
    """
    if isinstance(answer, dg.SkipReason) or one.schedule.misfire != "all":
        return answer
    return answer.with_replaced_attrs(tags={**answer.tags, Tag.DAY: f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"})
