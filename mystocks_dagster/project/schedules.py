"""The schedules of a project: their switches and next starts."""

import heapq
from itertools import islice

from mystocks_dagster.instance import code_location, open_tables
from mystocks_dagster.market.clock import now
from mystocks_dagster.project import audit
from mystocks_dagster.project.access import Action, Caller, check
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.scheduling import interval_state, next_runs, switch_table
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.model import TaskFile


class Schedules:
    """Switches and next starts of a project's tasks and groups."""

    def __init__(self, state: ProjectState, caller: Caller) -> None:
        self._state, self._caller = state, caller

    def switches(self) -> dict[str, Switch]:
        """Return the switches of all tasks and groups with a schedule, by id."""
        state = self._state
        return switch_table.read(state.tables, code_location(state.settings), state.taskfile.by_id())

    def switch(self, name: str, on: bool | None) -> Switch:
        """Turn the schedule of a task or group on or off, or (None) back to what the task file says."""
        from mystocks_dagster.scheduling import switches

        check(self._caller, Action.SWITCH)
        state = self._state
        turned = switches.turn(state.instance, switches.repository(state.settings), name, state.find(name), on)
        to = {True: "on", False: "off", None: "as in the file"}[on]
        audit.note(state.settings, self._caller, Action.SWITCH, name, to)
        return turned

    def next_runs(self, name: str | None, count: int) -> list[NextRun]:
        """Return the next `count` starts of each schedule that is on, by time; of one task or group, or of all."""
        state = self._state
        if name is not None:
            state.find(name)
        entries, moment = state.taskfile.by_id(), now().replace(microsecond=0)
        switched_on = [switch for switch in self.switches().values() if switch.on and name in (None, switch.name)]
        intervals = interval_state.read(state.tables)
        starts = []
        for switch in switched_on:
            entry = entries[switch.name]
            if schedule := entry.schedule:
                anchor = intervals[entry.dagster_name].start if entry.dagster_name in intervals else None
                upcoming = next_runs.starts(switch.name, schedule, moment, anchor=anchor, cursor=switch.cursor)
                starts.append(islice(upcoming, count))
        return list(heapq.merge(*starts, key=lambda start: start.time))


def switches_of(settings: Settings, taskfile: TaskFile) -> dict[str, Switch]:
    """Return the switches of a task file's entries by id; empty if the instance does not exist yet."""
    if not settings.dagster_home.exists():
        return {}
    return switch_table.read(open_tables(settings), code_location(settings), taskfile.by_id())
