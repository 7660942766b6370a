"""Interval schedules: one sensor evaluates all of them, because a thousand sensors would delay the daemon by minutes.

Each task also has its own sensor, which is the switch in the UI and shows the reasons of skipped starts.
See docs/decisions/0013.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorState, TickData, TickStatus
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.factory.misfires import starts_to_make_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import schedule_metadata, tick
from mystocks_dagster.market.clock import now
from mystocks_dagster.scheduling import downtime, interval_state
from mystocks_dagster.scheduling.downtime import RELOAD, DaemonActivity
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.scheduling.switches import sensor_states, turned_on
from mystocks_dagster.tags import INTERVALS_SENSOR
from mystocks_dagster.taskfile.schedule import Schedule

#: Limit of missed starts of one task that are made up for.
CATCH_UP = 20
#: Limit of starts of one task that a late daemon requests at once.
_MAX_STARTS = 100
#: Seconds between two evaluations of a switch, which do nothing: Dagster has no sensor without evaluations.
_YEAR = 366 * 24 * 3600


def build_switch(scheduled: ScheduledJob) -> dg.SensorDefinition:
    """Return the sensor that serves as a task's switch; it starts nothing itself."""
    reason = f"the sensor {INTERVALS_SENSOR} starts it; skipped starts are listed here"
    days = ", trading days only" if scheduled.schedule.trading_days_only else ""
    return dg.SensorDefinition(
        name=scheduled.switch,
        job_name=scheduled.job,
        evaluation_fn=lambda _: dg.SensorResult(skip_reason=reason),
        minimum_interval_seconds=_YEAR,
        default_status=dg.DefaultSensorStatus.RUNNING if scheduled.active else dg.DefaultSensorStatus.STOPPED,
        metadata=schedule_metadata(scheduled.schedule),
        description=f"{scheduled.title}: every {scheduled.schedule.interval_seconds} s{days}; {reason}",
    )


def build_intervals(
    intervals: Sequence[ScheduledJob], jobs: Mapping[str, dg.JobDefinition]
) -> Iterator[dg.SensorDefinition]:
    """Yield the sensor that starts all intervals; nothing if there are none.

    Args:
        intervals: Jobs with a schedule of type interval.
        jobs: All jobs by name.
    """
    if not intervals:
        return

    yield dg.SensorDefinition(
        name=INTERVALS_SENSOR,
        jobs=[jobs[scheduled.job] for scheduled in intervals],
        evaluation_fn=lambda context: _evaluate(context, intervals),
        # The daemon evaluates every 5 s. With 1 here the gap is a steady 5 s, with 5 it is sometimes 10 s.
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the tasks and groups with a schedule of type interval; each has its own sensor as switch",
    )


def _evaluate(context: dg.SensorEvaluationContext, intervals: Sequence[ScheduledJob]) -> dg.SensorResult:
    moment = now()
    states = sensor_states(context.instance)
    on = turned_on(states, {scheduled.job: scheduled.active for scheduled in intervals})
    activity = downtime.record(context.instance, moment, on)
    known = _known_states(context.instance, intervals, moment)
    evaluated = interval_state.evaluated_until(context.cursor) or moment - RELOAD
    requests, skipped = [], []
    for scheduled in intervals:
        if not on[scheduled.job]:
            continue
        state = states.get(scheduled.switch)
        since = max(evaluated, known[scheduled.job].seen, _switched_on(state), activity.off_until(scheduled.job))
        new, reasons = _starts(scheduled, known[scheduled.job], since, activity)
        if new and (running := scheduled.busy(context.instance)):
            new, reasons = [], [running]
        requests += new
        for reason in reasons:
            skipped.append(f"{scheduled.job}: {reason}")
            _record_skip(context.instance, state, reason, moment)
    skip = None if requests else "\n".join(skipped) or "nothing is due"
    return dg.SensorResult(
        run_requests=requests or None, skip_reason=skip, cursor=interval_state.evaluation_cursor(moment)
    )


def due(start: datetime, step: int, since: datetime, until: datetime, most: int = _MAX_STARTS) -> list[datetime]:
    """Return the last `most` starts after `since` up to `until`, in UTC."""
    # In UTC, so that daylight saving does not change an interval.
    start, length = start.astimezone(UTC), timedelta(seconds=step)
    last = (until - start) // length
    first = max((since - start) // length + 1, 0, last - most + 1)
    return [start + number * length for number in range(first, last + 1)]


def _starts(
    scheduled: ScheduledJob, anchor: IntervalState, since: datetime, activity: DaemonActivity
) -> tuple[list[dg.RunRequest], list[str]]:
    """Return the run requests of now, and the reasons of skipped starts."""
    schedule, step, began = scheduled.schedule, _step(scheduled.schedule), activity.since - timedelta(microseconds=1)
    missed = due(anchor.start, step, since, min(began, activity.moment), CATCH_UP + 1)
    late = due(anchor.start, step, max(since, began), activity.moment)
    made_up = starts_to_make_up(missed, schedule, activity.moment, CATCH_UP, on_time=bool(late))
    answers = [tick(scheduled, time) for time in (*made_up, *late)]
    requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
    reasons = [answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason)]
    if left := len(missed) - len(made_up):
        last = missed[-1].astimezone(ZoneInfo(schedule.timezone))
        reasons.append(
            f"{left} missed starts, the last due at {last:%Y-%m-%d %H:%M:%S}, are not made up for ({_rule(schedule)})"
        )
    return requests, reasons


def _step(schedule: Schedule) -> int:
    """Return the seconds between two starts."""
    if schedule.interval_seconds is None:
        raise ValueError("a schedule of type interval has no interval_seconds")
    return schedule.interval_seconds


def _rule(schedule: Schedule) -> str:
    return f"misfire: {schedule.misfire}" + (
        f", misfire_grace_time: {schedule.misfire_grace_time}" if schedule.misfire_grace_time else ""
    )


def _known_states(
    instance: dg.DagsterInstance, intervals: Sequence[ScheduledJob], moment: datetime
) -> Mapping[str, IntervalState]:
    """Return the state of each interval; new and changed ones are stored."""
    known = interval_state.read(InstanceTables(instance))
    states = {}
    for scheduled in intervals:
        old = known.get(scheduled.job)
        start = scheduled.schedule.start_time or (old.start if old else moment)
        seen = moment if old else moment - RELOAD
        new = IntervalState(start=start, step=_step(scheduled.schedule), seen=seen)
        states[scheduled.job] = old if old and (old.start, old.step) == (new.start, new.step) else new
    if states != known:
        interval_state.write(instance, states)
    return states


def _switched_on(state: InstigatorState | None) -> datetime:
    """Return when a person switched the sensor on."""
    data: Any = state.instigator_data if state else None
    return datetime.fromtimestamp(getattr(data, "last_sensor_start_timestamp", None) or 0, UTC)


def _record_skip(instance: dg.DagsterInstance, state: InstigatorState | None, reason: str, moment: datetime) -> None:
    """Record the reason of a skipped start as a tick of the task's own sensor."""
    if state is None:
        return
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=state.instigator_name,
            instigator_type=state.instigator_type,
            selector_id=state.selector_id,
            status=TickStatus.SKIPPED,
            timestamp=moment.timestamp(),
            end_timestamp=moment.timestamp(),
            skip_reason=reason,
        )
    )
