"""Which schedules should have started something and did not: the daemon was down, or could not evaluate them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from mystocks_dagster.dagster_tables import DagsterTables, InstanceTables
from mystocks_dagster.market.clock import SHANGHAI, now
from mystocks_dagster.scheduling import downtime, interval_state, next_runs, switch_table
from mystocks_dagster.scheduling.interval_state import IntervalState
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class MissedSchedule:
    """A schedule of a task or group, and the earliest time at which it should have fired since the last look."""

    name: str
    due: datetime


def missed_schedules(
    instance: dg.DagsterInstance, entries: Mapping[str, Task | Group], switches: Iterable[Switch]
) -> Iterator[MissedSchedule]:
    """Yield the schedules that are on, were due before now, and were not evaluated since.

    A tick that was skipped with a reason (not a trading day, already running) is an evaluation. A schedule that no
    daemon has ever seen is not overdue: nobody can say since when it should have fired.
    """
    tables = InstanceTables(instance)
    noted = interval_state.read(tables)
    looked, looks = interval_state.looked(tables), downtime.read(instance, now())
    for switch in switches:
        schedule, anchor = entries[switch.name].schedule, noted.get(entries[switch.name].dagster_name)
        if schedule is None or not switch.on:
            continue
        # One sensor looks at all intervals; their own sensors are switches.
        job = entries[switch.name].dagster_name
        times = [switch.looked_at, *((looked, anchor.seen) if schedule.interval_seconds and anchor else ())]
        seen = max((time for time in times if time), default=None)
        seen = seen and max(seen, looks.off_until(job))
        if seen and _due(switch, schedule, seen, anchor):
            # The state may lag behind the ticks.
            due = _due(switch, schedule, max(seen, _last_tick(tables, switch)), anchor)
            if due:
                yield MissedSchedule(name=switch.name, due=due)


def _due(switch: Switch, schedule: Schedule, seen: datetime, anchor: IntervalState | None) -> datetime | None:
    """Return when the schedule was due first after `seen`; None when that is still to come."""
    # A tick is noted under the time at which it was due: the next one is a second later at the earliest.
    after = seen + timedelta(seconds=1)
    first = next(
        next_runs.starts(switch.name, schedule, after, anchor=anchor.start if anchor else None, cursor=switch.cursor),
        None,
    )
    return first.time if first and first.time < now() else None


def _last_tick(tables: DagsterTables, switch: Switch) -> datetime:
    return datetime.fromtimestamp(switch_table.last_tick(tables, switch), SHANGHAI)
