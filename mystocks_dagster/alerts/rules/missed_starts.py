"""What is told of schedules: a start that was due and did not happen."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, NamedTuple

import dagster as dg

from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.context import AlertContext
from mystocks_dagster.dagster_internals import TickStatus
from mystocks_dagster.dagster_tables import InstanceTables
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.scheduling import downtime, interval_state, next_runs, switches
from mystocks_dagster.scheduling.downtime import DaemonLooks
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.settings import Settings
from mystocks_dagster.tags import INTERVALS_SENSOR, schedule_name
from mystocks_dagster.taskfile.schedule import Schedule

#: A start that is so late has been missed; and so long the scheduler has to catch up after a time of which nobody
#: looked.
GRACE = timedelta(minutes=2)
_PAUSE = timedelta(minutes=1)
#: Nothing is told of what was due before.
_HORIZON = timedelta(days=3)
_MOST = 1_000


def look(instance: dg.DagsterInstance, settings: Settings, desk: AlertContext) -> None:
    """Tell of starts that were due since the last look and did not happen; does something once a minute."""
    ledger, moment = desk.ledger, desk.moment
    if ledger.looked and moment - ledger.looked < _PAUSE:
        return
    if ledger.looked is None or ledger.since is None or moment - ledger.looked > 2 * _PAUSE:
        ledger.since = moment
    ledger.looked = moment
    if ledger.judged is None:
        ledger.judged = moment
    until = moment - GRACE
    # The scheduler's catching up, after a pause of everything, is given its time too.
    if until <= ledger.judged or moment - ledger.since < GRACE:
        return
    start, ledger.judged = max(ledger.judged, moment - _HORIZON), until
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
    for job, entry in desk.entries.items():
        state = states.get(schedule_name(job))
        if entry.schedule and state is not None and state.is_running:
            _tell(desk, job, *_lost(instance, job, entry.schedule, state, span))


class _Span(NamedTuple):
    """What is judged: starts from `start` to `until`; intervals by how far their sensor has `looked`.

    What was due while off is not.
    """

    start: datetime
    until: datetime
    looked: str | None
    intervals: Mapping[str, IntervalState]
    looks: DaemonLooks


def _tell(desk: AlertContext, job: str, lost: Sequence[tuple[datetime, str]], outage: str) -> None:
    if lost:
        due = [moment for moment, _ in lost]
        reason = next((why for _, why in reversed(lost) if why), "调度器没有在应启动的时间触发")
        desk.say(
            texts.missed(
                f"missed:{job}:{outage}",
                job,
                desk.name(job),
                owner=desk.owner(job),
                dues=due,
                reason=reason,
                time=desk.moment,
                link=desk.links.job(job),
            )
        )


def _lost(
    instance: dg.DagsterInstance, job: str, schedule: Schedule, state: Any, span: _Span
) -> tuple[list[tuple[datetime, str]], str]:
    """Return the starts that did not happen, each with a reason if one is known, and the key of their message."""
    match schedule.schedule_type:
        case "cron":
            lost = list(_lost_ticks(instance, job, schedule, state, span))
        case "interval":
            # A sensor that is stuck is one outage, however many starts come due meanwhile.
            return list(_lost_intervals(job, state, span)), f"after:{span.looked}"
        case "once":
            lost = list(_lost_once(schedule, state))
    return lost, lost[-1][0].isoformat() if lost else ""


def _lost_ticks(
    instance: dg.DagsterInstance, job: str, schedule: Schedule, state: Any, span: _Span
) -> Iterator[tuple[datetime, str]]:
    """Yield the cron times that have no tick, or a failed one; a tick that was skipped has said why.

    After a pause Dagster makes up for the latest time only, as the file says with `misfire: latest`: what a later tick
    stands for is not lost.
    """
    start = max(span.start, _moment(getattr(state.instigator_data, "start_timestamp", None)), span.looks.off_until(job))
    coming = next_runs.starts(job, schedule, start + timedelta(seconds=1))
    due = [
        one.time for _, one in zip(range(_MOST), takewhile(lambda one: one.time <= span.until, coming), strict=False)
    ]
    if not due:
        return
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=due[0].timestamp() - 1, limit=_MOST)
    found = {round(tick.timestamp): tick for tick in ticks}
    fired = [stamp for stamp, tick in found.items() if tick.status in (TickStatus.SUCCESS, TickStatus.SKIPPED)]
    for moment in due:
        tick = found.get(round(moment.timestamp()))
        if tick is not None and tick.status == TickStatus.FAILURE:
            yield moment, tick.error.message.strip() if tick.error else ""
        elif tick is None and not any(stamp >= moment.timestamp() for stamp in fired):
            yield moment, ""


def _lost_intervals(job: str, state: Any, span: _Span) -> Iterator[tuple[datetime, str]]:
    """Yield the latest time that an interval was due, when the sensor of all intervals has not looked since."""
    anchor = span.intervals.get(job)
    if anchor is None or span.looked is None:
        return
    step = timedelta(seconds=anchor.step)
    due = anchor.start + ((span.until - anchor.start) // step) * step
    switched_on = _moment(getattr(state.instigator_data, "last_sensor_start_timestamp", None))
    if due > max(datetime.fromisoformat(span.looked), switched_on, anchor.seen, span.looks.off_until(job)):
        yield due.astimezone(SHANGHAI), ""


def _lost_once(schedule: Schedule, state: Any) -> Iterator[tuple[datetime, str]]:
    if schedule.start_time and _cursor(state) == {"due": schedule.start_time.isoformat(), "outcome": "missed"}:
        yield schedule.start_time.astimezone(SHANGHAI), f"应启动时没有守护进程在运行，{_rule(schedule)}，没有补跑"


def _rule(schedule: Schedule) -> str:
    """Return why a missed start was not made up for; it names the grace time only where the file sets one."""
    if schedule.misfire == "skip":
        return "misfire 为 skip"
    if schedule.misfire_grace_time is None:
        return "恢复时已晚了一小时以上"
    return f"恢复时已超过 misfire_grace_time（{schedule.misfire_grace_time} 秒）"


def _cursor(state: Any) -> dict[str, Any]:
    """Return what a sensor remembers."""
    cursor = getattr(state.instigator_data, "cursor", None) if state else None
    return json.loads(cursor) if cursor else {}


def _moment(timestamp: float | None) -> datetime:
    return datetime.fromtimestamp(timestamp or 0, SHANGHAI)
