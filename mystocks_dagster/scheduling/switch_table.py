"""States of switches, read from Dagster's table of instigators, which are its schedules and sensors.

The file's `enabled` counts until a person turns the switch; `switches.py` turns switches.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from mystocks_dagster.dagster_tables import DagsterTables
from mystocks_dagster.market.clock import SHANGHAI
from mystocks_dagster.tags import REPOSITORY, schedule_name
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task

SCHEDULE, SENSOR = "SCHEDULE", "SENSOR"
_STOPPED, _UNDECIDED = "STOPPED", "DECLARED_IN_CODE"
_TIMES = ("start_timestamp", "last_iteration_timestamp", "last_sensor_start_timestamp", "last_tick_timestamp")


@dataclass(frozen=True, kw_only=True)
class Switch:
    """The switch of one task or group that has a schedule.

    Attributes:
        name: Id of the task or group.
        on: Whether the switch is on.
        declared: The `enabled` of the file.
        decided: Whether a person has turned it, so that the file's `enabled` does not count until a reset.
        cursor: Cursor of the sensor of a once schedule.
        evaluated_at: When the daemon evaluated it last, or when it was turned on, by its state; ticks may be newer.
        selector: Dagster's id of its state and ticks; empty before it has any.
    """

    name: str
    on: bool
    declared: bool
    decided: bool
    cursor: str | None = None
    evaluated_at: datetime | None = None
    selector: str = ""

    def __str__(self) -> str:
        """Return the state as text, with the file's state if it differs."""
        words = {True: "on", False: "off"}
        return words[self.on] if self.on == self.declared else f"{words[self.on]}, file: {words[self.declared]}"

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` shows it."""
        return {"task_id": self.name, "on": self.on, "file": self.declared, "decided": self.decided}


class Instigator(NamedTuple):
    """Dagster's stored state of a schedule or sensor.

    Attributes:
        kind: SCHEDULE or SENSOR.
        status: RUNNING, STOPPED, or DECLARED_IN_CODE if no person has turned it.
        data: Cursor and times.
    """

    name: str
    kind: str
    status: str
    data: Mapping[str, Any]
    selector: str


def instigators(tables: DagsterTables, location: str | None = None) -> dict[str, Instigator]:
    """Return the stored states of schedules and sensors by name, of one code location or of all."""
    rows = tables.rows("schedules", "SELECT instigator_body, instigator_type, status, selector_id FROM instigators")
    states = {}
    for body, kind, status, selector in rows:
        tree = json.loads(body)
        if location is None or _repository(tree["origin"]) == (location, REPOSITORY):
            name = tree["origin"]["job_name"]
            states[name] = Instigator(name, kind, status, tree["job_specific_data"] or {}, selector)
    return states


def _repository(origin: Mapping[str, Any]) -> tuple[str, str]:
    repository = origin["external_repository_origin"]
    return repository["repository_location_origin"]["location_name"], repository["repository_name"]


def last_tick(tables: DagsterTables, switch: Switch) -> float:
    """Return the time of the schedule's last tick in seconds since 1970; 0 if it has none."""
    query = "SELECT tick_body FROM job_ticks WHERE selector_id = ? ORDER BY timestamp DESC, id DESC LIMIT 1"
    rows = tables.rows("schedules", query, [switch.selector])
    return json.loads(rows[0][0])["timestamp"] if rows else 0


def read(tables: DagsterTables, location: str, entries: Mapping[str, Task | Group]) -> dict[str, Switch]:
    """Return the switches of the tasks and groups that have one, by id.

    Args:
        tables: Dagster's tables.
        location: Dagster's name of the code location.
        entries: Tasks and groups by id.
    """
    states = instigators(tables, location)
    return {
        name: _switch(name, entry, states.get(schedule_name(entry.dagster_name)))
        for name, entry in entries.items()
        if has_switch(entry)
    }


def has_switch(entry: Task | Group) -> bool:
    """Whether it has a switch: it has a schedule, or is a supervisor."""
    return entry.schedule is not None or (isinstance(entry, Task) and entry.task_type == "supervisor")


def is_schedule(entry: Task | Group) -> bool:
    """Whether a Dagster schedule starts it, and not a sensor."""
    return bool(entry.schedule and entry.schedule.cron_expression)


def _switch(name: str, entry: Task | Group, state: Instigator | None) -> Switch:
    # A state of the other kind remains from a former schedule type; Dagster ignores it too.
    if state and state.kind != (SCHEDULE if is_schedule(entry) else SENSOR):
        state = None
    decided = state is not None and state.status != _UNDECIDED
    return Switch(
        name=name,
        on=state.status != _STOPPED if state and decided else entry.active,
        declared=entry.active,
        decided=decided,
        cursor=state.data.get("cursor") if state else None,
        evaluated_at=_evaluated_at(state.data) if state else None,
        selector=state.selector if state else "",
    )


def _evaluated_at(data: Mapping[str, Any]) -> datetime | None:
    times = [moment for name in _TIMES if (moment := data.get(name))]
    return datetime.fromtimestamp(max(times), SHANGHAI) if times else None
