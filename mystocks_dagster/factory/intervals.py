"""Interval schedules: one sensor looks at all of them, because a daemon that asks a thousand sensors is minutes late.

Each task has a sensor of its own all the same: it is the switch in the UI, and shows there why a start was skipped.
See docs/decisions/0013.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from mystocks_dagster.dagster_internals import InstigatorState, TickData, TickStatus
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.factory.misfires import made_up
from mystocks_dagster.factory.scheduled import ScheduledJob
from mystocks_dagster.factory.schedules import schedule_metadata, tick
from mystocks_dagster.market.clock import now
from mystocks_dagster.runs.max_instances import limit_reached
from mystocks_dagster.scheduling import downtime, interval_state
from mystocks_dagster.scheduling.downtime import RELOAD, DaemonLooks
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.scheduling.switches import sensor_states, turned_on
from mystocks_dagster.tags import INTERVALS_SENSOR
from mystocks_dagster.taskfile.schedule import Schedule

#: At most this many missed starts of one task are made up.
CATCH_UP = 20
#: At most this many starts of one task are asked for at once by a daemon that looks late.
_MOST = 100
#: Seconds between two looks at a switch itself, which has nothing to say: Dagster has no sensor that is never asked.
_YEAR = 366 * 24 * 3600


def build_switch(one: ScheduledJob) -> dg.SensorDefinition:
    """Return the sensor that a person switches on and off; it starts nothing itself."""
    reason = f"the starts are requested by the sensor {INTERVALS_SENSOR}; what was skipped is listed here"
    days = ", trading days only" if one.schedule.trading_days_only else ""
    return dg.SensorDefinition(
        name=one.switch,
        job_name=one.job,
        evaluation_fn=lambda _: dg.SensorResult(skip_reason=reason),
        minimum_interval_seconds=_YEAR,
        default_status=dg.DefaultSensorStatus.RUNNING if one.active else dg.DefaultSensorStatus.STOPPED,
        metadata=schedule_metadata(one.schedule),
        description=f"{one.title}: every {one.schedule.interval_seconds} s{days}; {reason}",
    )


def build_intervals(
    intervals: Sequence[ScheduledJob], jobs: Mapping[str, dg.JobDefinition]
) -> Iterator[dg.SensorDefinition]:
    """Yield the sensor that starts them all; nothing when there are none.

    Args:
        intervals: What has a schedule of type interval.
        jobs: All jobs by name.
    """
    if not intervals:
        return

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        moment = now()
        states = sensor_states(context.instance)
        on = turned_on(states, {one.job: one.active for one in intervals})
        looks = downtime.look(context.instance, moment, on)
        known = _noted(context.instance, intervals, moment)
        looked = interval_state.looked_until(context.cursor) or moment - RELOAD
        requests, told = [], []
        for one in intervals:
            if not on[one.job]:
                continue
            state = states.get(one.switch)
            since = max(looked, known[one.job].seen, _switched_on(state), looks.off_until(one.job))
            asked, reasons = _starts(one, known[one.job], since, looks)
            if asked and one.limit is not None and (running := limit_reached(context.instance, one.job, one.limit)):
                asked, reasons = [], [running]
            requests += asked
            for reason in reasons:
                told.append(f"{one.job}: {reason}")
                _show(context.instance, state, reason, moment)
        skip = None if requests else "\n".join(told) or "nothing is due"
        return dg.SensorResult(
            run_requests=requests or None, skip_reason=skip, cursor=interval_state.looked_cursor(moment)
        )

    yield dg.SensorDefinition(
        name=INTERVALS_SENSOR,
        jobs=[jobs[one.job] for one in intervals],
        evaluation_fn=evaluate,
        # The daemon looks every 5 s; asking for 1 gives a steady 5, asking for 5 gives gaps of 10.
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the tasks and groups that have a schedule of type interval; each is switched by its "
        "own sensor",
    )


def due(start: datetime, step: int, since: datetime, until: datetime, most: int = _MOST) -> list[datetime]:
    """Return the starts after `since` up to `until`, in UTC; of very many the last `most`."""
    # In UTC: an interval is so many seconds, also across a change of the clocks.
    start, length = start.astimezone(UTC), timedelta(seconds=step)
    last = (until - start) // length
    first = max((since - start) // length + 1, 0, last - most + 1)
    return [start + number * length for number in range(first, last + 1)]


def _starts(
    one: ScheduledJob, anchor: IntervalState, since: datetime, looks: DaemonLooks
) -> tuple[list[dg.RunRequest], list[str]]:
    """Return the runs to ask for now, and why others are left out."""
    schedule, step, began = one.schedule, _step(one.schedule), looks.since - timedelta(microseconds=1)
    missed = due(anchor.start, step, since, min(began, looks.moment), CATCH_UP + 1)
    late = due(anchor.start, step, max(since, began), looks.moment)
    kept = made_up(missed, schedule, looks.moment, CATCH_UP, on_time=bool(late))
    answers = [tick(one, time) for time in (*kept, *late)]
    requests = [answer for answer in answers if isinstance(answer, dg.RunRequest)]
    reasons = [answer.skip_message or "" for answer in answers if isinstance(answer, dg.SkipReason)]
    if left := len(missed) - len(kept):
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


def _noted(
    instance: dg.DagsterInstance, intervals: Sequence[ScheduledJob], moment: datetime
) -> Mapping[str, IntervalState]:
    """Return from when each interval counts; one that is new, or has changed, is noted."""
    known = interval_state.read(InstanceTables(instance))
    noted = {}
    for one in intervals:
        old = known.get(one.job)
        start = one.schedule.start_time or (old.start if old else moment)
        unchanged = old and (old.start, old.step) == (start, _step(one.schedule))
        seen = moment if old else moment - RELOAD
        noted[one.job] = old if old and unchanged else IntervalState(start=start, step=_step(one.schedule), seen=seen)
    if noted != known:
        interval_state.write(instance, noted)
    return noted


def _switched_on(state: InstigatorState | None) -> datetime:
    """Return when a person switched it on; what was due before was not missed."""
    data: Any = state.instigator_data if state else None
    return datetime.fromtimestamp(getattr(data, "last_sensor_start_timestamp", None) or 0, UTC)


def _show(instance: dg.DagsterInstance, state: InstigatorState | None, reason: str, moment: datetime) -> None:
    """Put the reason of a skipped start where a person looks for it: among the ticks of the task's own sensor."""
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
