"""Rule: a scheduled start that was due and did not happen is reported."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple

import dagster as dg

from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.dagster_internals import TickStatus
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling import downtime, interval_state, next_runs, switches
from mystocks_dagster.scheduling.downtime import DaemonActivity
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import INTERVALS_SENSOR, schedule_name
from mystocks_dagster.taskfile.schedule import Schedule

#: A start that is later than this is missed. The scheduler has as long to catch up after a pause of the evaluations.
GRACE = timedelta(minutes=2)
_PAUSE = timedelta(minutes=1)
#: Starts that were due before this are not reported.
_HORIZON = timedelta(days=3)
_MAX_TICKS = 1_000


def evaluate(instance: dg.DagsterInstance, settings: Settings, context: AlertContext) -> None:
    """Report starts that were due since the last evaluation and did not happen; at most once a minute."""
    ledger, moment = context.ledger, context.moment
    if ledger.evaluated_at and moment - ledger.evaluated_at < _PAUSE:
        return
    if ledger.evaluated_at is None or ledger.evaluated_since is None or moment - ledger.evaluated_at > 2 * _PAUSE:
        ledger.evaluated_since = moment
    ledger.evaluated_at = moment
    if ledger.judged_until is None:
        ledger.judged_until = moment
    until = moment - GRACE
    # After a pause of all daemons, the scheduler needs time to catch up.
    if until <= ledger.judged_until or moment - ledger.evaluated_since < GRACE:
        return
    start, ledger.judged_until = max(ledger.judged_until, moment - _HORIZON), until
    origin = switches.repository(settings)
    states = {
        state.instigator_name: state
        for state in instance.all_instigator_state(repository_selector_id=origin.get_selector_id())
    }
    span = _Span(
        start,
        until,
        _cursor(states.get(INTERVALS_SENSOR)).get("looked"),
        interval_state.read(InstanceTables(instance)),
        downtime.read(instance, moment),
    )
    for job, entry in context.entries.items():
        state = states.get(schedule_name(job))
        if entry.schedule and state is not None and state.is_running:
            _report(context, job, *_missed(instance, job, entry.schedule, state, span))


class _Span(NamedTuple):
    """The starts to judge: from `start` to `until`; intervals until the last evaluation of their sensor."""

    start: datetime
    until: datetime
    evaluated: str | None
    intervals: Mapping[str, IntervalState]
    activity: DaemonActivity


def _report(context: AlertContext, job: str, missed: Sequence[tuple[datetime, str]], outage: str) -> None:
    if missed:
        due = [moment for moment, _ in missed]
        reason = next((reason for _, reason in reversed(missed) if reason), "调度器没有在应启动的时间触发")
        context.report(
            texts.missed(
                f"missed:{job}:{outage}",
                job,
                context.name(job),
                owner=context.owner(job),
                dues=due,
                reason=reason,
                time=context.moment,
                link=context.links.job(job),
            )
        )


def _missed(
    instance: dg.DagsterInstance, job: str, schedule: Schedule, state: Any, span: _Span
) -> tuple[list[tuple[datetime, str]], str]:
    """Return the missed starts, each with its reason if known, and the key of their message."""
    match schedule.schedule_type:
        case "cron":
            missed = list(_missed_ticks(instance, job, schedule, state, span))
        case "interval":
            # A stuck sensor is one outage, however many starts come due during it.
            return list(_missed_intervals(job, state, span)), f"after:{span.evaluated}"
        case "once":
            missed = list(_missed_once(schedule, state))
    return missed, missed[-1][0].isoformat() if missed else ""


def _missed_ticks(
    instance: dg.DagsterInstance, job: str, schedule: Schedule, state: Any, span: _Span
) -> Iterator[tuple[datetime, str]]:
    """Yield the cron times without a tick, or with a failed one; a skipped tick has its reason in Dagster.

    After a pause Dagster makes up for the latest time only (`misfire: latest`), so times before a later tick are not
    missed.
    """
    switched_on = _moment(getattr(state.instigator_data, "start_timestamp", None))
    start = max(span.start, switched_on, span.activity.off_until(job))
    coming = next_runs.starts(job, schedule, start + timedelta(seconds=1))
    due = [start.time for start in takewhile(lambda start: start.time <= span.until, islice(coming, _MAX_TICKS))]
    if not due:
        return
    ticks = instance.get_ticks(
        state.instigator_origin_id, state.selector_id, after=due[0].timestamp() - 1, limit=_MAX_TICKS
    )
    by_second = {round(tick.timestamp): tick for tick in ticks}
    fired = [stamp for stamp, tick in by_second.items() if tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED)]
    for moment in due:
        tick = by_second.get(round(moment.timestamp()))
        if tick is not None and tick.status == TickStatus.FAILURE:
            yield moment, tick.error.message.strip() if tick.error else ""
        elif tick is None and not any(stamp >= moment.timestamp() for stamp in fired):
            yield moment, ""


def _missed_intervals(job: str, state: Any, span: _Span) -> Iterator[tuple[datetime, str]]:
    """Yield the latest due time of an interval if the intervals' sensor has not been evaluated since."""
    anchor = span.intervals.get(job)
    if anchor is None or span.evaluated is None:
        return
    step = timedelta(seconds=anchor.step)
    due = anchor.start + ((span.until - anchor.start) // step) * step
    switched_on = _moment(getattr(state.instigator_data, "last_sensor_start_timestamp", None))
    if due > max(datetime.fromisoformat(span.evaluated), switched_on, anchor.seen, span.activity.off_until(job)):
        yield due.astimezone(SHANGHAI), ""


def _missed_once(schedule: Schedule, state: Any) -> Iterator[tuple[datetime, str]]:
    if schedule.start_time and _cursor(state) == {"due": schedule.start_time.isoformat(), "outcome": "missed"}:
        yield schedule.start_time.astimezone(SHANGHAI), f"应启动时没有守护进程在运行，{_rule(schedule)}，没有补跑"


def _rule(schedule: Schedule) -> str:
    """Return why a missed start was not made up for; it names the grace time only if the file sets one."""
    if schedule.misfire == "skip":
        return "misfire 为 skip"
    if schedule.misfire_grace_time is None:
        return "恢复时已晚了一小时以上"
    return f"恢复时已超过 misfire_grace_time（{schedule.misfire_grace_time} 秒）"


def _cursor(state: Any) -> dict[str, Any]:
    """Return the cursor of a sensor, parsed."""
    cursor = getattr(state.instigator_data, "cursor", None) if state else None
    return json.loads(cursor) if cursor else {}


def _moment(timestamp: float | None) -> datetime:
    return datetime.fromtimestamp(timestamp or 0, SHANGHAI)
