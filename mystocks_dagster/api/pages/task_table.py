"""What the pages show of tasks and groups: lines of the table, and links into Dagster's UI."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.addresses import DagsterLinks
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.history import Execution, Statistics
from mystocks_dagster.project.project import Project
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.tags import UNDER_WAY
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.names import dagster_name, id_fault
from mystocks_dagster.taskfile.problems import Problem


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One task or group in the table; of a broken one only its id and what is wrong are known.

    `has_job` is False where Dagster has no job for it: its id is what is wrong, or another one's too.
    """

    id: str
    entry: Task | Group | None
    switch: Switch | None = None
    coming: NextRun | None = None
    statistics: Statistics | None = None
    problems: Sequence[Problem] = ()
    has_job: bool = True

    @property
    def name(self) -> str:
        """The name, for people."""
        match self.entry:
            case Task():
                return self.entry.task_name
            case Group():
                return self.entry.group_name
        return ""

    @property
    def kind(self) -> str:
        """The task's type, or `group`."""
        return self.entry.task_type if isinstance(self.entry, Task) else "group" if self.entry else "broken"

    @property
    def tags(self) -> Sequence[str]:
        """The task's tags."""
        return self.entry.tags if isinstance(self.entry, Task) else ()

    @property
    def running(self) -> bool:
        """Whether its last execution is still under way."""
        return self.statistics is not None and self.statistics.last_status in UNDER_WAY


def lines(project: Project) -> list[TableRow]:
    """Return the groups and the tasks of the file, in its order, the broken ones at their end.

    Raises:
        TaskFileError: Nothing of the file can be used.
    """
    switches = project.schedules.switches()
    coming: dict[str, NextRun] = {}
    for one in project.schedules.next_runs(None, 1):
        coming.setdefault(one.task_id, one)
    statistics = project.history.statistics()
    found = [
        TableRow(
            id=name, entry=entry, switch=switches.get(name), coming=coming.get(name), statistics=statistics.get(name)
        )
        for name, entry in project.taskfile.by_id().items()
    ]
    found.sort(key=lambda line: isinstance(line.entry, Task))
    taken = {line.entry.dagster_name for line in found if line.entry}
    for name, why in project.version.broken.items():
        has_job = id_fault(name) is None and dagster_name(name) not in taken
        found.append(TableRow(id=name, entry=None, problems=why, has_job=has_job))
    return found


def fitting(all_lines: Sequence[TableRow], kind: str, text: str) -> list[TableRow]:
    """Return the lines of that type whose id, name or tags hold that text; empty words fit all."""
    words = text.casefold().split()

    def fits(line: TableRow) -> bool:
        about = " ".join((line.id, line.name, *line.tags)).casefold()
        return kind in ("", line.kind) and all(word in about for word in words)

    return [line for line in all_lines if fits(line)]


class Links(DagsterLinks):
    """Pages of tasks and groups in the running UI of Dagster, by their ids."""

    def job(self, job: str, tab: str = "") -> str | None:
        """Return the page of a task's or group's job; `tab` may be `/playground` or `/runs`."""
        return super().job(dagster_name(job), tab)

    def automation(self, entry: Task | Group) -> str | None:
        """Return the page of what starts it: its schedule or sensor."""
        cron = entry.schedule is not None and entry.schedule.schedule_type == "cron"
        return self.starter(entry.dagster_name, cron=cron)


def tables_of(project: Project, name: str) -> tuple[str, ...]:
    """Return the asset keys that a task keeps."""
    specs = build_specs(project.version)
    return specs[name].owned if name in specs else ()


def users_of(project: Project, name: str) -> list[str]:
    """Return the ids of the tasks and groups that name a task."""
    tasks = [task.task_id for task in project.taskfile.tasks if name in task.dependencies]
    return tasks + [group.group_id for group in project.taskfile.task_groups if name in group.tasks]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One execution in the chart: place and height in percent of the chart's."""

    x: float
    height: float
    execution: Execution


def bars(executions: Sequence[Execution], slots: int = 40) -> list[Bar]:
    """Return the newest `slots` executions as bars of their duration, the oldest first."""
    shown = list(reversed(executions[:slots]))
    longest = max((one.duration or 0 for one in shown), default=0) or 1
    return [
        Bar(
            x=round(100 * (slots - len(shown) + number) / slots, 2),
            height=round(max(100 * (one.duration or 0) / longest, 4), 1),
            execution=one,
        )
        for number, one in enumerate(shown)
    ]


def settings_of(entry: Task | Group) -> Iterator[tuple[str, str]]:
    """Yield label and value of what the entry says, its schedule included, secrets masked."""
    masked = entry.masked()
    differing = {*entry.model_fields_set, "priority", "timeout", "retry_count", "max_instances"} & set(masked)
    for name, value in masked.items():
        if name not in differing or name in (
            "schedule",
            "params",
            "task_id",
            "group_id",
            "task_name",
            "group_name",
            "description",
        ):
            continue
        yield name, value
    schedule: Mapping[str, object] = masked.get("schedule") or {}
    set_there = entry.schedule.model_fields_set if entry.schedule else set()
    yield from (
        (f"schedule.{name}", value) for name, value in schedule.items() if name in set_there and value is not None
    )
