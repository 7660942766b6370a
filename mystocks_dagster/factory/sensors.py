"""Interval and once schedules: Dagster's cron cannot say them, so a sensor does, with a cursor that remembers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.factory.schedules import schedule_metadata, tick
from mystocks_dagster.market.clock import now
from mystocks_dagster.overlap import over
from mystocks_dagster.taskfile.schedule import Schedule

Evaluation = Callable[[dg.SensorEvaluationContext], dg.SensorResult]
#: At most this many missed runs are made up in one evaluation.
CATCH_UP = 20


def build_sensor(job: str, title: str, schedule: Schedule, active: bool, limit: int | None = None) -> dg.SensorDefinition:
    """Return the sensor of a job whose schedule is of type interval or once.

    Args:
        job: The job's name.
        title: The task's or group's name, for the description.
        schedule: One of type interval or once.
        active: False when the file has it switched off.
        limit: The task's `max_instances`; a group has none.
    """
    once = schedule.schedule_type == "once"
    evaluate = _once(job, schedule) if once else _interval(job, schedule)
    told = f"once at {schedule.start_time}" if once else f"every {schedule.interval_seconds} s"
    return dg.SensorDefinition(
        name=f"{job}__schedule",
        job_name=job,
        evaluation_fn=evaluate if limit is None else _unless_over(evaluate, job, limit, waits=once),
        # The daemon looks every 5 s; asking for 1 gives a steady 5, asking for 5 gives gaps of 10.
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING if active else dg.DefaultSensorStatus.STOPPED,
        metadata=schedule_metadata(schedule),
        description=f"{title}: {told}" + (", trading days only" if schedule.trading_days_only else ""),
    )


def _unless_over(evaluate: Evaluation, job: str, limit: int, *, waits: bool) -> Evaluation:
    """Skip what is due while `limit` executions of the job's task are under way; what `waits` stays due."""

    def guarded(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told = evaluate(context)
        reason = over(context.instance, job, limit) if told.run_requests else None
        if reason is None:
            return told
        return dg.SensorResult(skip_reason=reason, cursor=context.cursor if waits else told.cursor)

    return guarded


def _once(job: str, schedule: Schedule) -> Evaluation:
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        due = schedule.start_time
        if due is None:
            raise ValueError(f"{job}: a schedule of type once has no start_time")
        if context.cursor and json.loads(context.cursor)["due"] == due.isoformat():
            return dg.SensorResult(skip_reason=f"{json.loads(context.cursor)['outcome']}: it was due once, at {due}")
        moment = now()
        if moment < due:
            return dg.SensorResult(skip_reason=f"due at {due}")
        late, grace = moment - due, schedule.grace
        if grace is not None and late > grace:
            reason = f"missed: due at {due}, {late} ago, which is more than misfire_grace_time ({grace})"
            return dg.SensorResult(skip_reason=reason, cursor=json.dumps({"due": due.isoformat(), "outcome": "missed"}))
        return _fire(job, schedule, [due], {"due": due.isoformat(), "outcome": "done"})

    return evaluate


def _interval(job: str, schedule: Schedule) -> Evaluation:
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if schedule.interval_seconds is None:
            raise ValueError(f"{job}: a schedule of type interval has no interval_seconds")
        moment = now()
        seen = json.loads(context.cursor) if context.cursor else {}
        # Counted in UTC: local arithmetic is an hour off across a change of daylight saving.
        anchor = (schedule.start_time or datetime.fromisoformat(seen.get("anchor", moment.isoformat()))).astimezone(UTC)
        step = timedelta(seconds=schedule.interval_seconds)
        number = (moment - anchor) // step
        # Without a start_time the first run is due when the interval is first seen.
        fresh = seen.get("anchor") != anchor.isoformat() or seen.get("step") != schedule.interval_seconds
        last = number - 1 if fresh else seen["number"]
        if number <= last or number < 0:
            following = (anchor + (number + 1) * step).astimezone(ZoneInfo(schedule.timezone))
            return dg.SensorResult(skip_reason=f"next due at {following}", cursor=context.cursor)
        due = _due([anchor + k * step for k in range(max(last + 1, number - CATCH_UP + 1), number + 1)], schedule, moment)
        return _fire(job, schedule, due, {"anchor": anchor.isoformat(), "step": schedule.interval_seconds, "number": number})

    return evaluate


def _due(times: list[datetime], schedule: Schedule, moment: datetime) -> list[datetime]:
    """Return which of the times that have come are run: misfire decides about those that are late."""
    grace = schedule.grace
    if grace is not None:
        times = [time for time in times if moment - time <= grace]
    match schedule.misfire:
        case "all":
            return times
        case "skip" if len(times) > 1:
            return times[-1:] if moment - times[-1] <= timedelta(seconds=10) else []
    return times[-1:]


def _fire(job: str, schedule: Schedule, times: list[datetime], cursor: dict[str, object]) -> dg.SensorResult:
    answers = [tick(job, schedule, time) for time in times]
    requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
    reasons = [answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason)]
    skip = None if requests else ("; ".join(reasons) or "late by more than misfire_grace_time: not run")
    return dg.SensorResult(run_requests=requests or None, skip_reason=skip, cursor=json.dumps(cursor))
