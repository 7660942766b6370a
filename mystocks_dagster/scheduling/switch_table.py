"""Whether schedules are on, read out of Dagster's table of instigators, as it calls schedules and sensors.

Where nobody has turned a switch, the file's `enabled` counts. Turning is in `switches.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import REPOSITORY, schedule_name
from mystocks_dagster.taskfile.model import Group, Task

SCHEDULE, SENSOR = "SCHEDULE", "SENSOR"
_STOPPED, _UNDECIDED = "STOPPED", "DECLARED_IN_CODE"
_LOOKS = ("start_timestamp", "last_iteration_timestamp", "last_sensor_start_timestamp", "last_tick_timestamp")


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The switch of one task or group that has a schedule.

    Attributes:
        name: Id of the task or group.
        on: Whether its schedule starts it.
        declared: Whether the file has it on.
        decided: A person has turned it, so that the file's `enabled` does not count until it is reset.
        cursor: What the sensor of a once schedule remembers.
        looked_at: When the daemon looked at it last, or it was turned on, as far as its state tells (ticks may be
            newer).
        selector: Under which id Dagster keeps its state and ticks; empty before it has any.
    """

    name: str
    on: bool
    declared: bool
    decided: bool
    cursor: str | None = None
    looked_at: datetime | None = None
    selector: str = ""

    def __str__(self) -> str:
        """Return it for people: both states where they differ."""
        words = {True: "on", False: "off"}
        return words[self.on] if self.on == self.declared else f"{words[self.on]}, file: {words[self.declared]}"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {"task_id": self.name, "on": self.on, "file": self.declared, "decided": self.decided}


class Instigator(NamedTuple):
    """What Dagster remembers of a schedule or sensor.

    Attributes:
        kind: SCHEDULE or SENSOR.
        status: RUNNING, STOPPED, or DECLARED_IN_CODE where nobody has turned it.
        data: Cursor and times.
    """

    name: str
    kind: str
    status: str
    data: Mapping[str, Any]
    selector: str


def instigators(tables: DagsterTables, location: str | None = None) -> dict[str, Instigator]:
    """Return what Dagster remembers of schedules and sensors, of one code location or of all, by name."""
    rows = tables.rows("schedules", "SELECT instigator_body, instigator_type, status, selector_id FROM instigators")
    found = {}
    for body, kind, status, selector in rows:
        tree = json.loads(body)
        if location is None or _repository(tree["origin"]) == (location, REPOSITORY):
            name = tree["origin"]["job_name"]
            found[name] = Instigator(name, kind, status, tree["job_specific_data"] or {}, selector)
    return found


def _repository(origin: Mapping[str, Any]) -> tuple[str, str]:
    repository = origin["external_repository_origin"]
    return repository["repository_location_origin"]["location_name"], repository["repository_name"]


def last_tick(tables: DagsterTables, switch: Switch) -> float:
    """Return when the switch's schedule was evaluated last, in seconds since 1970; 0 before the first time."""
    query = "SELECT tick_body FROM job_ticks WHERE selector_id = ? ORDER BY timestamp DESC, id DESC LIMIT 1"
    rows = tables.rows("schedules", query, [switch.selector])
    return json.loads(rows[0][0])["timestamp"] if rows else 0


def read(tables: DagsterTables, location: str, entries: Mapping[str, Task | Group]) -> dict[str, Switch]:
    """Return the switches of those tasks and groups that have a schedule, by id.

    Args:
        tables: Dagster's.
        location: What Dagster calls the code location.
        entries: Tasks and groups by id.
    """
    states = instigators(tables, location)
    return {
        name: _switch(name, entry, states.get(schedule_name(entry.dagster_name)))
        for name, entry in entries.items()
        if has_switch(entry)
    }


def has_switch(entry: Task | Group) -> bool:
    """Say whether something starts it by itself: its schedule, or what keeps a supervisor alive."""
    return entry.schedule is not None or (isinstance(entry, Task) and entry.task_type == "supervisor")


def is_schedule(entry: Task | Group) -> bool:
    """Say whether a schedule of Dagster's starts it, and not a sensor."""
    return bool(entry.schedule and entry.schedule.cron_expression)


def _switch(name: str, entry: Task | Group, state: Instigator | None) -> Switch:
    # A state of the other kind is a leftover of the time when the schedule had another type: Dagster ignores it too.
    if state and state.kind != (SCHEDULE if is_schedule(entry) else SENSOR):
        state = None
    decided = state is not None and state.status != _UNDECIDED
    return Switch(
        name=name,
        on=state.status != _STOPPED if state and decided else entry.active,
        declared=entry.active,
        decided=decided,
        cursor=state.data.get("cursor") if state else None,
        looked_at=_looked_at(state.data) if state else None,
        selector=state.selector if state else "",
    )


def _looked_at(data: Mapping[str, Any]) -> datetime | None:
    known = [moment for name in _LOOKS if (moment := data.get(name))]
    return datetime.fromtimestamp(max(known), SHANGHAI) if known else None
