"""Once schedules: a sensor with a cursor that remembers that it has fired, also when the run is cleaned up."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorStatus
from mystocks_dagster.factory.misfires import left_out, made_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import schedule_metadata, tick
from mystocks_dagster.market.clock import now
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.scheduling import downtime
from mystocks_dagster.scheduling.downtime import NEVER, RELOAD
from mystocks_dagster.scheduling.switches import sensor_states
from mystocks_dagster.taskfile.schedule import Schedule

#: What the sensor remembers until the start is due: that it was looked at before.
_WAITING = {"outcome": "waiting"}


def build_once(one: ScheduledJob) -> dg.SensorDefinition:
    """Return the sensor of a job that is started once."""
    schedule, due = one.schedule, one.schedule.start_time
    if due is None:
        raise ValueError(f"{one.job}: a schedule of type once has no start_time")

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = json.loads(context.cursor) if context.cursor else {}
        if seen.get("due") == due.isoformat():
            return dg.SensorResult(skip_reason=f"{seen['outcome']}: it was due once, at {due}")
        moment = now()
        if moment < due:
            return dg.SensorResult(skip_reason=f"due at {due}", cursor=json.dumps(_WAITING))
        looks = downtime.read(context.instance, moment)
        if due <= max(looks.off_until(one.job), _switched_on(context.instance, one, waited=seen == _WAITING)):
            reason = f"{due} was due while the schedule was switched off"
            return dg.SensorResult(skip_reason=reason, cursor=_cursor(schedule, "off"))
        # A schedule that is new is late where it could not have been seen in time.
        since = max(looks.since, looks.first_seen(one.job, downtime.form(schedule), moment - RELOAD))
        if due < since and not made_up([due], schedule, moment, 1):
            return dg.SensorResult(skip_reason=left_out(schedule, due, moment), cursor=_cursor(schedule, "missed"))
        # It stays due while the task runs: it has no second chance.
        if one.limit is not None and (running := limit_reached(context.instance, one.job, one.limit)):
            return dg.SensorResult(skip_reason=running, cursor=context.cursor)
        answer = tick(one, due)
        if isinstance(answer, dg.SkipReason):
            return dg.SensorResult(
                skip_reason=answer.skip_message, cursor=_cursor(schedule, f"skipped: {answer.skip_message}")
            )
        return dg.SensorResult(run_requests=[answer], cursor=_cursor(schedule, "done"))

    return dg.SensorDefinition(
        name=one.switch,
        job_name=one.job,
        evaluation_fn=evaluate,
        # The daemon looks every 5 s; asking for 1 gives a steady 5, asking for 5 gives gaps of 10.
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING if one.active else dg.DefaultSensorStatus.STOPPED,
        metadata=schedule_metadata(schedule),
        description=f"{one.title}: once at {due}" + (", trading days only" if schedule.trading_days_only else ""),
    )


def _switched_on(instance: dg.DagsterInstance, one: ScheduledJob, *, waited: bool) -> datetime:
    """Return when a person switched the sensor on.

    The daemon notes the same of one that it sees for the first time, which is no switch.
    """
    state = sensor_states(instance).get(one.switch)
    data: Any = state.instigator_data if state else None
    turned = state is not None and (waited or state.status == InstigatorStatus.RUNNING)
    return datetime.fromtimestamp(data.last_sensor_start_timestamp or 0, UTC) if turned and data else NEVER


def _cursor(schedule: Schedule, outcome: str) -> str:
    return json.dumps({"due": schedule.start_time and schedule.start_time.isoformat(), "outcome": outcome})
