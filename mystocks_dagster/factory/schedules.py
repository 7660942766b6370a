"""Cron schedules: when a job is started, in whose time zone, and why it was not."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._utils.schedules import schedule_execution_time_iterator

from mystocks_dagster.factory.text import CALENDAR, DAY, SETTINGS
from mystocks_dagster.factory.timed import Timed
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.overlap import over
from mystocks_dagster.taskfile.schedule import Schedule

Answer = dg.RunRequest | dg.SkipReason
Evaluation = Callable[[dg.ScheduleEvaluationContext], Iterator[Answer]]
#: At most this many missed starts are made up for at once.
CATCH_UP = 100
#: A start that is later than this was missed: the daemon looks every few seconds, and may be busy for a moment.
LATE = timedelta(seconds=60)


def build_schedule(one: Timed) -> dg.ScheduleDefinition:
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
    return {SETTINGS: dg.MetadataValue.json(schedule.model_dump(mode="json"))}


def _evaluate(one: Timed) -> Evaluation:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Iterator[Answer]:
        moment = context.scheduled_execution_time
        # Of several missed starts Dagster itself asks for the last one only.
        before = missed(context.instance, one, moment) if one.schedule.misfire == "all" else []
        answers = [*(_caught_up(tick(one, time), time) for time in before), tick(one, moment, seen=now())]
        requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
        if requests and one.limit is not None and (reason := over(context.instance, one.job, one.limit)):
            yield dg.SkipReason(reason)
        elif requests:
            yield from requests
        else:
            yield dg.SkipReason("; ".join(answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason)))

    return evaluate


def missed(instance: dg.DagsterInstance, one: Timed, moment: datetime) -> list[datetime]:
    """Return the starts before `moment` that no daemon asked for, within the grace time: at most the last `CATCH_UP`.

    They are counted from where Dagster's daemon counts: the last tick, the last note that it was there, or when the
    schedule was switched on. What was due while it was switched off was not missed.
    """
    schedule = one.schedule
    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    state = next((state for state in states if state.instigator_name == one.switch), None)
    data: Any = state.instigator_data if state else None
    if state is None or data is None or schedule.cron_expression is None:
        return []
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, before=moment.timestamp(), limit=1)
    since = max(ticks[0].timestamp + 1 if ticks else 0, data.start_timestamp or 0, data.last_iteration_timestamp or 0)
    if since == 0:
        return []
    if schedule.grace is not None:
        since = max(since, (now() - schedule.grace).timestamp())
    found: list[datetime] = []
    for time in schedule_execution_time_iterator(since, schedule.cron_expression, schedule.timezone):
        if time >= moment:
            break
        found.append(time)
    return found[-CATCH_UP:]


def tick(one: Timed, moment: datetime, seen: datetime | None = None) -> Answer:
    """Say whether the job starts at `moment`, an aware time, or why it does not; times are told in the schedule's zone.

    Args:
        one: The job and its schedule, of any type.
        moment: When it is due.
        seen: When the daemon asks: a start that it asks for too late is left out as `misfire` says.
    """
    schedule = one.schedule
    moment = moment.astimezone(ZoneInfo(schedule.timezone))
    if schedule.start_time and moment < schedule.start_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is before start_time {schedule.start_time.isoformat()}.")
    if schedule.end_time and moment > schedule.end_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is after end_time {schedule.end_time.isoformat()}.")
    if seen and (reason := too_late(schedule, moment, seen)):
        return dg.SkipReason(reason)
    tags = {"mystocks/scheduled_at": moment.isoformat()}
    if schedule.trading_days_only:
        day = moment.astimezone(SHANGHAI).date()
        session, certain = shanghai().is_probable_session(day)
        if not session:
            return dg.SkipReason(f"{day} ({day:%A}) is not a trading day in Shanghai.")
        if not certain:
            guess = f"the trading calendar ends on {shanghai().last}: {day} is taken for a trading day because it is a weekday"
            tags[CALENDAR] = f"{guess}; mystocks calendar --refresh"
    return dg.RunRequest(run_key=f"{one.job}:{moment.isoformat()}", job_name=one.job, tags=tags)


def too_late(schedule: Schedule, moment: datetime, seen: datetime) -> str | None:
    """Return why a start that was due at `moment` is not made up for at `seen`; None when it is."""
    late = seen - moment
    if schedule.grace is not None and late > schedule.grace:
        return f"missed: due at {moment:%Y-%m-%d %H:%M}, {_span(late)} ago, more than misfire_grace_time ({_span(schedule.grace)})."
    if schedule.misfire == "skip" and late > LATE:
        return f"missed: due at {moment:%Y-%m-%d %H:%M}, {_span(late)} ago, and misfire is skip."
    return None


def _span(length: timedelta) -> str:
    return str(timedelta(seconds=round(length.total_seconds())))


def _caught_up(answer: Answer, moment: datetime) -> Answer:
    """Tell a run that makes up for a missed start which trading day it is about."""
    if isinstance(answer, dg.SkipReason):
        return answer
    return answer.with_replaced_attrs(tags={**answer.tags, DAY: f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"})
