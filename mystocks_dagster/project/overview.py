"""Where a project stands and what to do next, for `mystocks` without a command."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from mystocks_dagster.errors import InstanceError, MyStocksError, OutsideCalendar
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.suggestions import demo_lacks, run_command
from mystocks_dagster.settings import DEMO_LAKE
from mystocks_dagster.tags import State

#: The table that tells how far the data reach.
_BARS = "daily_bars"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The state of a project.

    Attributes:
        exists: Whether the folder has a task file; without one the rest is empty.
        tasks: Number of tasks.
        groups: Number of groups.
        broken: Why the task file cannot be used as it is; empty if it can.
        unopened: Why Dagster's history cannot be opened; empty if it can.
        lake: Location of the lake.
        newest: The newest stored trading day; None while there are no bars.
        behind: Trading days after it that are published; None if unknown.
        unreadable: Why the lake cannot be read; empty if it can.
        demo: Whether the demo has run here, or has nothing to run.
        run: The command that loads the newest trading days.
        outcomes: Task id to the status of its last execution.
        address: Address of the running web UI; None while it is not running.
    """

    exists: bool
    tasks: int = 0
    groups: int = 0
    broken: str = ""
    unopened: str = ""
    lake: str = ""
    newest: date | None = None
    behind: int | None = None
    unreadable: str = ""
    demo: bool = False
    run: str = ""
    outcomes: dict[str, str]
    address: str | None = None

    @property
    def failed(self) -> list[str]:
        """The tasks whose last execution failed."""
        return [task for task, status in self.outcomes.items() if status == State.FAILED]

    def next_steps(self) -> Iterator[tuple[str, str]]:
        """Yield the commands that help now, each with what it does, the most useful first."""
        if not self.exists:
            yield "mystocks init my-market", "make a project of your own"
            return
        yield from self._repairs()
        yield from self._loads()
        for task in self.failed[:2]:
            yield f"mystocks history {task}", f"see why {task} failed"
        if self.address is None:
            yield "mystocks ui", "pages in the browser, and the daemon that starts what is scheduled"
        if self.newest is not None:
            yield "mystocks chart SYMBOL", "draw the candles of a stock, such as 600519"

    def _repairs(self) -> Iterator[tuple[str, str]]:
        if self.broken:
            yield "mystocks check", "show each problem of tasks.yaml with its line"
        if "mystocks upgrade" in self.unopened:
            yield "mystocks upgrade", "bring a project of an older version along"
        elif self.unopened:
            yield "mystocks doctor", "find out what is wrong with the storage"
        if self.unreadable:
            yield "mystocks doctor", "find out what is wrong with the lake"

    def _loads(self) -> Iterator[tuple[str, str]]:
        if self.newest is None and not self.unreadable:
            yield "mystocks bootstrap", "load ten years of the market"
            if not self.demo:
                yield "mystocks demo", "try everything on a simulated market first"
        elif self.behind:
            yield self.run, f"load the {self.behind} missing trading day(s) and what depends on them"


def overview(project: Project) -> Overview:
    """Return where a project stands; what cannot be read is stated, and nothing is raised for it."""
    settings = project.settings
    if not (settings.task_file.exists() or _has_last_version(project)):
        return Overview(exists=False, outcomes={})
    from mystocks_dagster.instance import ui_address
    from mystocks_dagster.tasks.findings import abbreviate

    tasks, groups, broken, unopened, outcomes, lacking = 0, 0, "", "", {}, False
    try:
        taskfile = project.taskfile
        tasks, groups = len(taskfile.tasks), len(taskfile.task_groups)
        lacking = bool(demo_lacks(project))
        broken = project.notice or abbreviate([*project.version.broken])
        known = {task.task_id for task in taskfile.tasks}
        outcomes = {task: status for task, status in project.history.last_outcomes().items() if task in known}
    except InstanceError as error:
        unopened = str(error).splitlines()[0]
    except MyStocksError as error:
        broken = str(error).splitlines()[0]
    newest, behind, unreadable = _reach(project)
    return Overview(
        exists=True,
        tasks=tasks,
        groups=groups,
        broken=broken,
        unopened=unopened,
        lake=settings.lake,
        newest=newest,
        behind=behind,
        unreadable=unreadable,
        demo=(settings.root / DEMO_LAKE).exists() or lacking,
        run=run_command(project),
        outcomes=outcomes,
        address=ui_address(settings.dagster_home),
    )


def _has_last_version(project: Project) -> bool:
    """Return whether the last good version of the task file is known, which is used while the file is gone."""
    try:
        return bool(project.taskfile.tasks)
    except MyStocksError:
        return False


def _reach(project: Project) -> tuple[date | None, int | None, str]:
    """Return the newest day with bars, how many published trading days are after it, and why both are unknown."""
    from mystocks_dagster.lake.store import Lake
    from mystocks_dagster.market.calendar import DATA_READY, shanghai
    from mystocks_dagster.market.clock import now

    try:
        lake = Lake(project.settings.lake)
        days = lake.days(_BARS) if lake.exists(_BARS) else []
        if not days:
            return None, None, ""
        latest, _ = shanghai().probable_latest_closed(now(), DATA_READY)
        return (
            days[-1],
            len([day for day in shanghai().sessions(days[-1], max(days[-1], latest)) if day > days[-1]]),
            "",
        )
    except OutsideCalendar:
        return days[-1], None, ""
    except MyStocksError as error:
        return None, None, str(error).splitlines()[0]
