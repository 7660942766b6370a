"""Overdue schedules: the daemon was down, or could not evaluate them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from mystocks_dagster.dagster_tables import DagsterTables, InstanceTables
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.scheduling import downtime, interval_state, next_runs, switch_table
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class MissedSchedule:
    """A schedule of a task or group with its earliest due time after the last evaluation."""

    name: str
    due: datetime


def missed_schedules(
    instance: dg.DagsterInstance, entries: Mapping[str, Task | Group], switches: Iterable[Switch]
) -> Iterator[MissedSchedule]:
    """Yield the schedules that are on, were due before now, and have not been evaluated since.

    A skipped tick (not a trading day, already running) is an evaluation. A schedule that no daemon has evaluated yet is
    not overdue.
    """
    tables = InstanceTables(instance)
    states = interval_state.read(tables)
    evaluated, activity = interval_state.last_evaluation(tables), downtime.read(instance, now())
    for switch in switches:
        schedule, anchor = entries[switch.name].schedule, states.get(entries[switch.name].dagster_name)
        if schedule is None or not switch.on:
            continue
        # One sensor evaluates all intervals; their own sensors are switches.
        job = entries[switch.name].dagster_name
        times = [switch.evaluated_at, *((evaluated, anchor.seen) if schedule.interval_seconds and anchor else ())]
        seen = max((time for time in times if time), default=None)
        seen = seen and max(seen, activity.off_until(job))
        if seen and _due(switch, schedule, seen, anchor):
            # The stored state may be older than the ticks.
            due = _due(switch, schedule, max(seen, _last_tick(tables, switch)), anchor)
            if due:
                yield MissedSchedule(name=switch.name, due=due)


def _due(switch: Switch, schedule: Schedule, seen: datetime, anchor: IntervalState | None) -> datetime | None:
    """Return the first due time after `seen`; None if it is in the future."""
    # A tick has its due time: the next one is at least a second later.
    after = seen + timedelta(seconds=1)
    first = next(
        next_runs.starts(switch.name, schedule, after, anchor=anchor.start if anchor else None, cursor=switch.cursor),
        None,
    )
    return first.time if first and first.time < now() else None


def _last_tick(tables: DagsterTables, switch: Switch) -> datetime:
    return datetime.fromtimestamp(switch_table.last_tick(tables, switch), SHANGHAI)
