"""Executions and statistics of a project, by task id, and the clean-up of what is old."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import islice

from mystocks_dagster import history
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.history import CleanupResult, Execution, Statistics, catch_up
from mystocks_dagster.history.aggregates import TimeWindow
from mystocks_dagster.history.catch_up import Progress
from mystocks_dagster.project.access import Action, Caller, check
from mystocks_dagster.project.schedules import Schedules
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.tags import OWN_NAMES, State
from mystocks_dagster.taskfile.model import Group
from mystocks_dagster.taskfile.names import dagster_name


class RunHistory:
    """What ran; the methods are those of `Project`, which describes them."""

    def __init__(self, state: ProjectState, schedules: Schedules, caller: Caller) -> None:
        self.state, self._schedules, self._caller = state, schedules, caller

    def executions(
        self,
        name: str | None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        status: str | None = None,
    ) -> Iterator[Execution]:
        """Yield executions, those of the newest run first."""
        state = self.state
        group = isinstance(state.taskfile.by_id().get(name or ""), Group)
        # Paused is what pending is called while the task's switch is off, which the roll-up does not know.
        stored_status = State.PENDING if status == State.PAUSED else status
        public_status = self._public_status()
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            wanted = {"job": dagster_name(name)} if name and group else {"task_id": name}
            records = rollup.executions(
                **wanted,
                window=TimeWindow.of(since, until),
                status=stored_status,
                limit=None if stored_status == State.PENDING else limit,
            )
            executions = (record.shown(state.tables, state.task_ids) for record in records)
            public = (replace(one, status=public_status(one.task_id, one.status)) for one in executions)
            yield from islice((one for one in public if status in (None, one.status)), limit)

    def execution(self, execution_id: str) -> Execution:
        """Return one execution."""
        state = self.state
        for execution in history.of_run(state.instance, execution_id.partition(":")[0], state.task_ids):
            if execution.execution_id == execution_id:
                return replace(execution, status=self._public_status()(execution.task_id, execution.status))
        raise UnknownName(f"There is no execution {execution_id!r}. What ran: mystocks history")

    def of_run(self, run_id: str) -> list[Execution]:
        """Return the executions of one run."""
        return history.of_run(self.state.instance, run_id, self.state.task_ids)

    def statistics(
        self, task_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id."""
        state = self.state
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            aggregates = rollup.tallies(task_id, TimeWindow.of(since, until))
        titles = {task.task_id: task.task_name for task in state.taskfile.tasks if task_id in (None, task.task_id)}
        public_status = self._public_status()
        statistics = {name: Statistics(task_id=name, task_name=title) for name, title in titles.items()}
        for aggregate in aggregates:
            if aggregate.task in OWN_NAMES:  # the project's own jobs are not tasks
                continue
            name = state.task_ids.get(aggregate.name, aggregate.task)
            last_status = public_status(name, aggregate.last_status)
            statistics[name] = aggregate.shown(name, titles.get(name, name), last_status)
        return statistics

    def last_outcomes(self) -> dict[str, str]:
        """Return how each task's newest execution ended that did the work or failed at it."""
        state = self.state
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            return {state.task_ids.get(name, name): status for name, status in rollup.last_outcomes().items()}

    def read(self, progress: Progress | None, *, rebuild: bool) -> None:
        """Bring the roll-up up to date."""
        with catch_up.opened(self.state.tables, self.state.settings.dagster_home, progress, rebuild=rebuild):
            pass

    def clean_up(self, days: int, *, dry_run: bool, progress: Progress | None) -> CleanupResult:
        """Remove what ended more than `days` days ago."""
        from mystocks_dagster.history.cleanup.clean_up import InstanceRef, clean_up, make_room

        check(self._caller, Action.CLEAN_UP)
        home = self.state.settings.dagster_home
        # Before the databases are opened, which needs room.
        tight = make_room(home, days, dry_run=dry_run)
        instance = InstanceRef(self.state.instance, home)
        return clean_up(instance, days, dry_run=dry_run, progress=progress, tight=tight)

    def _public_status(self) -> Callable[[str, str], str]:
        """Return what tells the status of a task's execution for people; it reads the switches when needed, once."""
        switches = cache(self._schedules.switches)

        def public_status(task_id: str, status: str) -> str:
            switch = switches().get(task_id) if status == State.PENDING else None
            return State.PAUSED if switch and not switch.on else status

        return public_status
