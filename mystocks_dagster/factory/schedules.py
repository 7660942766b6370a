"""Cron schedules: when a job is started, in whose time zone, and why it was not."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.factory.text import SETTINGS
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.overlap import over
from mystocks_dagster.taskfile.schedule import Schedule

Answer = dg.RunRequest | dg.SkipReason


def build_schedule(job: str, title: str, schedule: Schedule, active: bool, limit: int | None = None) -> dg.ScheduleDefinition:
    """Return the cron schedule of a job.

    Args:
        job: The job's name.
        title: The task's or group's name, for the description.
        schedule: One of type cron.
        active: False when the file has it switched off.
        limit: The task's `max_instances`; a group has none.
    """
    if schedule.cron_expression is None:
        raise ValueError(f"{job}: a schedule of type cron has no cron_expression")
    return dg.ScheduleDefinition(
        name=f"{job}__schedule",
        job_name=job,
        cron_schedule=schedule.cron_expression,
        execution_timezone=schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING if active else dg.DefaultScheduleStatus.STOPPED,
        description=f"{title}: {schedule.cron_expression} ({schedule.timezone})"
        + (", trading days only" if schedule.trading_days_only else ""),
        metadata=schedule_metadata(schedule),
        execution_fn=_evaluate(job, schedule, limit),
    )


def schedule_metadata(schedule: Schedule) -> dict[str, Any]:
    """Return the schedule as the file has it, for people."""
    return {SETTINGS: dg.MetadataValue.json(schedule.model_dump(mode="json"))}


def _evaluate(job: str, schedule: Schedule, limit: int | None) -> Callable[[dg.ScheduleEvaluationContext], Answer]:
    def evaluate(context: dg.ScheduleEvaluationContext) -> Answer:
        answer = tick(job, schedule, context.scheduled_execution_time)
        if limit is not None and isinstance(answer, dg.RunRequest) and (reason := over(context.instance, job, limit)):
            return dg.SkipReason(reason)
        return answer

    return evaluate


def tick(job: str, schedule: Schedule, moment: datetime) -> Answer:
    """Say whether the job starts at `moment`, an aware time, or why it does not; times are told in the schedule's zone."""
    moment = moment.astimezone(ZoneInfo(schedule.timezone))
    if schedule.start_time and moment < schedule.start_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is before start_time {schedule.start_time.isoformat()}.")
    if schedule.end_time and moment > schedule.end_time:
        return dg.SkipReason(f"{moment:%Y-%m-%d %H:%M} is after end_time {schedule.end_time.isoformat()}.")
    tags = {"mystocks/scheduled_at": moment.isoformat()}
    if schedule.trading_days_only:
        day = moment.astimezone(SHANGHAI).date()
        session, certain = shanghai().is_probable_session(day)
        if not session:
            return dg.SkipReason(f"{day} ({day:%A}) is not a trading day in Shanghai.")
        if not certain:
            tags["mystocks/calendar"] = f"the calendar ends on {shanghai().last}: taken for a trading day because it is a weekday"
    return dg.RunRequest(run_key=f"{job}:{moment.isoformat()}", tags=tags)
