"""Tasks and groups as the pages show them: rows of the table, links into Dagster's UI, bars of the chart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.addresses import DagsterLinks
from mystocks_dagster.api.pages import week_bar
from mystocks_dagster.api.pages.week_bar import DayBar
from mystocks_dagster.factory.spec import build_specs
from mystocks_dagster.history import Execution, Statistics
from mystocks_dagster.project.project import Project
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.tags import UNDER_WAY, State
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.names import dagster_name, id_fault
from mystocks_dagster.taskfile.problems import Problem

#: Settings that the page of a task lists even if the task file does not state them.
_ALWAYS_LISTED = ("priority", "timeout", "retry_count", "max_instances")
#: Fields that stand elsewhere on the page.
_SHOWN_ELSEWHERE = {"schedule", "params", "task_id", "group_id", "task_name", "group_name", "description"}
#: The choices of the filter by state, besides `off`.
FILTER_STATES = (
    *(State.FAILED, State.PARTIAL_SUCCESS, "under_way", State.SUCCESS, State.SKIPPED, State.CANCELLED),
    *("never", "off", "broken"),
)
#: The states of the first rows.
_URGENT = ("broken", State.FAILED, State.PARTIAL_SUCCESS, "under_way")


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A task or group in the table; of a broken one only the id and the problems are known.

    `has_job` is False if Dagster has no job for it, because its id is not valid or not unique.
    """

    id: str
    entry: Task | Group | None
    switch: Switch | None = None
    next_run: NextRun | None = None
    statistics: Statistics | None = None
    week: Sequence[DayBar] = ()
    problems: Sequence[Problem] = ()
    has_job: bool = True

    @property
    def name(self) -> str:
        """The display name."""
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
    def owner(self) -> str:
        """Who is responsible; empty if the file does not say."""
        return (self.entry.owner or "") if self.entry else ""

    @property
    def state(self) -> str:
        """What the table's filter by state goes by: one of `FILTER_STATES`, or empty."""
        if self.entry is None:
            return "broken"
        if self.running:
            return "under_way"
        if self.statistics is None:
            return ""
        return self.statistics.last_status or "never"

    @property
    def running(self) -> bool:
        """Whether its last execution is active."""
        return self.statistics is not None and self.statistics.last_status in UNDER_WAY


def table_rows(project: Project) -> list[TableRow]:
    """Return the rows of the groups, the tasks and the broken entries, in the order of the file.

    Raises:
        TaskFileError: The file is not usable.
    """
    switches = project.schedules.switches()
    next_runs: dict[str, NextRun] = {}
    for next_run in project.schedules.next_runs(None, 1):
        next_runs.setdefault(next_run.task_id, next_run)
    statistics = project.history.statistics()
    daily = project.history.daily(since=week_bar.since())
    rows = [
        TableRow(
            id=name,
            entry=entry,
            switch=switches.get(name),
            next_run=next_runs.get(name),
            statistics=statistics.get(name),
            week=week_bar.week(daily.get(name, {})) if isinstance(entry, Task) else (),
        )
        for name, entry in project.taskfile.by_id().items()
    ]
    rows.sort(key=lambda row: isinstance(row.entry, Task))
    taken = {row.entry.dagster_name for row in rows if row.entry}
    for name, problems in project.version.broken.items():
        has_job = id_fault(name) is None and dagster_name(name) not in taken
        rows.append(TableRow(id=name, entry=None, problems=problems, has_job=has_job))
    return rows


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What the table shows; an empty field admits all.

    Attributes:
        kind: A task type, or `group`.
        text: Words that must all be in the id, name or tags.
        state: One of `FILTER_STATES`; `off`: the switch is off.
    """

    kind: str = ""
    text: str = ""
    owner: str = ""
    tag: str = ""
    state: str = ""

    def admits(self, row: TableRow) -> bool:
        """Whether a row is shown."""
        searched = " ".join((row.id, row.name, *row.tags)).casefold()
        off = row.switch is not None and not row.switch.on
        return (
            self.kind in ("", row.kind)
            and self.owner in ("", row.owner)
            and (not self.tag or self.tag in row.tags)
            and (self.state in ("", row.state) or (self.state == "off" and off))
            and all(word in searched for word in self.text.casefold().split())
        )


def matching(rows: Sequence[TableRow], chosen: Filter) -> list[TableRow]:
    """Return the rows that a filter admits: first those with errors, those that failed, and those under way."""
    return sorted((row for row in rows if chosen.admits(row)), key=_urgency)


def _urgency(row: TableRow) -> int:
    return _URGENT.index(row.state) if row.state in _URGENT else len(_URGENT)


class Links(DagsterLinks):
    """Links to the pages of tasks and groups in Dagster's UI, by id."""

    def job(self, job: str, tab: str = "") -> str | None:
        """Return the address of the job of a task or group; `tab` may be `/playground` or `/runs`."""
        return super().job(dagster_name(job), tab)

    def automation(self, entry: Task | Group) -> str | None:
        """Return the address of its schedule or sensor."""
        cron = entry.schedule is not None and entry.schedule.schedule_type == "cron"
        return self.starter(entry.dagster_name, cron=cron)


def tables_of(project: Project, name: str) -> tuple[str, ...]:
    """Return the keys of the assets that a task writes."""
    specs = build_specs(project.version)
    return specs[name].owned if name in specs else ()


def users_of(project: Project, name: str) -> list[str]:
    """Return the ids of the tasks and groups that refer to a task."""
    tasks = [task.task_id for task in project.taskfile.tasks if name in task.dependencies]
    return tasks + [group.group_id for group in project.taskfile.task_groups if name in group.tasks]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An execution in the chart; `x` and `height` are percentages of the chart's size."""

    x: float
    height: float
    execution: Execution


def bars(executions: Sequence[Execution], slots: int = 40) -> list[Bar]:
    """Return the durations of the newest `slots` executions as bars, the oldest first."""
    newest = list(reversed(executions[:slots]))
    longest = max((execution.duration or 0 for execution in newest), default=0) or 1
    return [
        Bar(
            x=round(100 * (slots - len(newest) + number) / slots, 2),
            height=round(max(100 * (execution.duration or 0) / longest, 4), 1),
            execution=execution,
        )
        for number, execution in enumerate(newest)
    ]


def settings_of(entry: Task | Group) -> Iterator[tuple[str, str]]:
    """Yield name and value of an entry's settings, including the schedule, with secrets masked."""
    masked = entry.masked()
    listed = {*entry.model_fields_set, *_ALWAYS_LISTED} - _SHOWN_ELSEWHERE
    yield from ((name, value) for name, value in masked.items() if name in listed)
    schedule: Mapping[str, object] = masked.get("schedule") or {}
    stated = entry.schedule.model_fields_set if entry.schedule else ()
    for name, value in schedule.items():
        if name in stated and value is not None:
            yield f"schedule.{name}", value
