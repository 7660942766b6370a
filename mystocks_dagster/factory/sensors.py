"""Once schedules: a sensor whose cursor records that it has fired, also after the run is cleaned up."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorStatus
from mystocks_dagster.factory.misfires import missed_reason, starts_to_make_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import schedule_metadata, tick
from mystocks_dagster.market.clock import now
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.downtime import NEVER, RELOAD
from mystocks_dagster.scheduling.switches import sensor_states
from mystocks_dagster.taskfile.schedule import Schedule

#: Cursor of an evaluation before the due time.
_WAITING = {"outcome": "waiting"}


def build_once(scheduled: ScheduledJob) -> dg.SensorDefinition:
    """Return the sensor of a job with a schedule of type once."""
    schedule, due = scheduled.schedule, scheduled.schedule.start_time
    if due is None:
        raise ValueError(f"{scheduled.job}: a schedule of type once has no start_time")
    return dg.SensorDefinition(
        name=scheduled.switch,
        job_name=scheduled.job,
        evaluation_fn=lambda context: _evaluate(context, scheduled, due),
        # The daemon evaluates every 5 s. With 1 here the gap is a steady 5 s, with 5 it is sometimes 10 s.
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING if scheduled.active else dg.DefaultSensorStatus.STOPPED,
        metadata=schedule_metadata(schedule),
        description=f"{scheduled.title}: once at {due}" + (", trading days only" if schedule.trading_days_only else ""),
    )


def _evaluate(context: dg.SensorEvaluationContext, scheduled: ScheduledJob, due: datetime) -> dg.SensorResult:
    schedule = scheduled.schedule
    cursor = json.loads(context.cursor) if context.cursor else {}
    if cursor.get("due") == due.isoformat():
        return dg.SensorResult(skip_reason=f"{cursor['outcome']}: it was due once, at {due}")
    moment = now()
    if moment < due:
        return dg.SensorResult(skip_reason=f"due at {due}", cursor=json.dumps(_WAITING))
    activity = downtime.read(context.instance, moment)
    switched_on = _switched_on(context.instance, scheduled, waited=cursor == _WAITING)
    if due <= max(activity.off_until(scheduled.job), switched_on):
        reason = f"{due} was due while the schedule was switched off"
        return dg.SensorResult(skip_reason=reason, cursor=_cursor(schedule, "off"))
    # A new schedule is late, not missed, if the daemon could not load it in time.
    since = max(activity.since, activity.first_seen(scheduled.job, downtime.form(schedule), moment - RELOAD))
    if due < since and not starts_to_make_up([due], schedule, moment, 1):
        return dg.SensorResult(skip_reason=missed_reason(schedule, due, moment), cursor=_cursor(schedule, "missed"))
    # The start stays due while the task runs, since no other start follows.
    if running := scheduled.busy(context.instance):
        return dg.SensorResult(skip_reason=running, cursor=context.cursor)
    answer = tick(scheduled, due)
    if isinstance(answer, dg.SkipReason):
        reason = answer.skip_message
        return dg.SensorResult(skip_reason=reason, cursor=_cursor(schedule, f"skipped: {reason}"))
    return dg.SensorResult(run_requests=[answer], cursor=_cursor(schedule, "done"))


def _switched_on(instance: dg.DagsterInstance, scheduled: ScheduledJob, *, waited: bool) -> datetime:
    """Return when a person switched the sensor on.

    The daemon records the same time for a sensor that it sees for the first time.
    """
    state = sensor_states(instance).get(scheduled.switch)
    data: Any = state.instigator_data if state else None
    turned = state is not None and (waited or state.status == InstigatorStatus.RUNNING)
    return datetime.fromtimestamp(data.last_sensor_start_timestamp or 0, UTC) if turned and data else NEVER


def _cursor(schedule: Schedule, outcome: str) -> str:
    return json.dumps({"due": schedule.start_time and schedule.start_time.isoformat(), "outcome": outcome})
