"""What is told of schedules: a start that was due and did not happen."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from mystocks_dagster import switches, upcoming
from mystocks_dagster.alerts import texts
from mystocks_dagster.alerts.desk import Desk
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.schedule import Schedule

#: A start that is so late has been missed; and so long the scheduler has to catch up after a time of which nobody looked.
GRACE = timedelta(minutes=2)
_PAUSE = timedelta(minutes=1)
#: Nothing is told of what was due before.
_HORIZON = timedelta(days=3)
_MOST = 1_000


def look(instance: dg.DagsterInstance, settings: Settings, desk: Desk) -> None:
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
    timed = {entry.dagster_name: entry for entry in desk.entries.values() if entry.schedule}
    if not timed:
        return
    origin = switches.repository(settings)
    states = {state.instigator_name: state for state in instance.all_instigator_state(repository_selector_id=origin.get_selector_id())}
    for job, entry in timed.items():
        state = states.get(f"{job}__schedule")
        if entry.schedule and state is not None and state.is_running:
            _judge(instance, desk, entry, entry.schedule, state, (start, until))


def _judge(
    instance: dg.DagsterInstance, desk: Desk, entry: Task | Group, schedule: Schedule, state: Any, span: tuple[datetime, datetime]
) -> None:
    match schedule.schedule_type:
        case "cron":
            lost = list(_lost_ticks(instance, entry, schedule, state, *span))
        case "interval":
            lost = list(_lost_intervals(schedule, state, span[1]))
        case "once":
            lost = list(_lost_once(schedule, state))
    if lost:
        name, due = entry.dagster_name, [moment for moment, _ in lost]
        key = f"missed:{name}:{due[-1].isoformat()}"
        reason = next((why for _, why in reversed(lost) if why), "调度器没有在应启动的时间触发")
        link = f"{desk.link}/locations/mystocks/jobs/{name}" if desk.link else None
        desk.say(texts.missed(key, name, desk.name(name), dues=due, reason=reason, time=desk.moment, link=link))


def _lost_ticks(
    instance: dg.DagsterInstance, entry: Task | Group, schedule: Schedule, state: Any, start: datetime, until: datetime
) -> Iterator[tuple[datetime, str]]:
    """Yield the cron times that have no tick, or a failed one; a tick that was skipped has said why.

    After a pause Dagster makes up for the latest time only, as the file says with `misfire: latest`: what a later tick
    stands for is not lost.
    """
    switched_on = getattr(state.instigator_data, "start_timestamp", None)
    if switched_on:
        start = max(start, datetime.fromtimestamp(switched_on, SHANGHAI))
    coming = upcoming.starts(entry.dagster_name, schedule, start + timedelta(seconds=1))
    due = [one.time for _, one in zip(range(_MOST), takewhile(lambda one: one.time <= until, coming), strict=False)]
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


def _lost_intervals(schedule: Schedule, state: Any, until: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield the latest time that an interval was due, when its sensor has not come so far."""
    cursor = getattr(state.instigator_data, "cursor", None)
    seen = json.loads(cursor) if cursor else {}
    if "anchor" not in seen or not schedule.interval_seconds or seen.get("step") != schedule.interval_seconds:
        return
    anchor, step = datetime.fromisoformat(seen["anchor"]), timedelta(seconds=schedule.interval_seconds)
    due = anchor + ((until - anchor) // step) * step
    ended = schedule.end_time is not None and due > schedule.end_time
    if due > anchor + seen["number"] * step and not ended:
        yield due.astimezone(SHANGHAI), ""


def _lost_once(schedule: Schedule, state: Any) -> Iterator[tuple[datetime, str]]:
    cursor = getattr(state.instigator_data, "cursor", None)
    if cursor and schedule.start_time and json.loads(cursor) == {"due": schedule.start_time.isoformat(), "outcome": "missed"}:
        yield schedule.start_time.astimezone(SHANGHAI), "错过的时间超过 misfire_grace_time，没有补跑"
