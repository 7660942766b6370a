"""Executions and statistics of a project, and the clean-up of old runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from itertools import islice

from mystocks_dagster import history
from mystocks_dagster.errors import UnknownName
from mystocks_dagster.history import CleanupResult, Execution, Statistics, catch_up
from mystocks_dagster.history.aggregates import TimeWindow
from mystocks_dagster.history.catch_up import Progress
from mystocks_dagster.project import audit
from mystocks_dagster.project.access import Action, Caller, check
from mystocks_dagster.project.schedules import Schedules
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.tags import OWN_NAMES, State
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.names import dagster_name

#: Number of executions by day of their start and status.
DayCounts = dict[date | None, dict[str, int]]


class RunHistory:
    """The executions of a project's tasks."""

    def __init__(self, state: ProjectState, schedules: Schedules, caller: Caller) -> None:
        self._state, self._schedules, self._caller = state, schedules, caller

    def executions(
        self,
        name: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        status: str | None = None,
        offset: int = 0,
    ) -> Iterator[Execution]:
        """Yield the executions that started in [since, until), newest run first.

        Args:
            name: Id of a task: its executions in all jobs; of a group: those of all tasks in its runs; None: all.
            since: Earliest start.
            until: End of the range of starts, excluded.
            limit: Maximum number.
            status: Only executions with this status.
            offset: Number of executions to leave out first.
        """
        state = self._state
        end = None if limit is None else offset + limit
        group = isinstance(state.taskfile.by_id().get(name or ""), Group)
        # A pending execution is shown as paused while the task's switch is off, which the roll-up does not store.
        stored_status = State.PENDING if status == State.PAUSED else status
        public_status = self._public_status()
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            selection = {"job": dagster_name(name)} if name and group else {"task_id": name}
            records = rollup.executions(
                **selection,
                window=TimeWindow.of(since, until),
                status=stored_status,
                limit=None if stored_status == State.PENDING else end,
            )
            executions = (record.to_execution(state.tables, state.task_ids) for record in records)
            public = (
                replace(execution, status=public_status(execution.task_id, execution.status))
                for execution in executions
            )
            matching = (execution for execution in public if status in (None, execution.status))
            yield from islice(matching, offset, end)

    def execution(self, execution_id: str) -> Execution:
        """Return one execution by its id, `<run id>:<step>`; raises `UnknownName`."""
        state = self._state
        for execution in history.of_run(state.instance, execution_id.partition(":")[0], state.task_ids):
            if execution.execution_id == execution_id:
                return replace(execution, status=self._public_status()(execution.task_id, execution.status))
        raise UnknownName(f"There is no execution {execution_id!r}. List the executions with: mystocks history")

    def of_run(self, run_id: str) -> list[Execution]:
        """Return the executions of one run, including those that have not started."""
        return history.of_run(self._state.instance, run_id, self._state.task_ids)

    def statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics of one task or of all, by task id, over the executions that started in [since, until).

        Tasks of the task file are included even if they never ran. Runs removed by clean-ups are counted.
        """
        state = self._state
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
            statistics[name] = aggregate.to_statistics(name, titles.get(name, name), last_status)
        return statistics

    def daily(self, task_id: str | None = None, *, since: datetime | None = None) -> dict[str, DayCounts]:
        """Return, by task id, the number of executions of each status on each day of their start, in Shanghai.

        The day of executions that have not started is None; `since` leaves them out.
        """
        state = self._state
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            rows = rollup.days(task_id, TimeWindow.of(since, None))
        counts: dict[str, DayCounts] = {}
        for name, day, status, count in rows:
            of_task = counts.setdefault(state.task_ids.get(name, name), {})
            started = date.fromisoformat(day) if day else None
            of_task.setdefault(started, {})[status] = count
        return counts

    def last_outcomes(self) -> dict[str, str]:
        """Return, by task id, the status of the newest execution that succeeded or failed, so not of skipped ones."""
        state = self._state
        with catch_up.opened(state.tables, state.settings.dagster_home) as rollup:
            return {state.task_ids.get(name, name): status for name, status in rollup.last_outcomes().items()}

    def update(self, progress: Progress | None = None, *, rebuild: bool = False) -> None:
        """Update the roll-up, which every query of the history does too; the first time takes minutes.

        Args:
            progress: Called after each batch with the number of runs read and their total.
            rebuild: Discard the roll-up and read everything again.
        """
        with catch_up.opened(self._state.tables, self._state.settings.dagster_home, progress, rebuild=rebuild):
            pass

    def clean_up(self, days: int, *, dry_run: bool = False, progress: Progress | None = None) -> CleanupResult:
        """Remove runs, events, logs and ticks that ended more than `days` days ago, except those still needed.

        Args:
            days: At least 1.
            dry_run: Only count what would be removed.
            progress: As in `update`.

        Raises:
            InstanceError: Another clean-up is running, or `days` is out of range.
        """
        from mystocks_dagster.history.cleanup.clean_up import InstanceRef, clean_up, make_room

        check(self._caller, Action.CLEAN_UP)
        home = self._state.settings.dagster_home
        # First, because opening the databases needs disk space.
        tight = make_room(home, days, dry_run=dry_run)
        instance = InstanceRef(self._state.instance, home)
        # Before runs are removed, for it may be killed meanwhile; on a full disk afterwards, when there is space again.
        begun = list[int]()

        def note(runs: int) -> None:
            audit.add(self._state.settings, self._caller, Action.CLEAN_UP.value, "", f"{runs} runs, {days} days")

        begins = note if tight is None else begun.append
        try:
            return clean_up(instance, days, dry_run=dry_run, progress=progress, tight=tight, begins=begins)
        finally:
            if begun:
                note(begun[0])

    def _public_status(self) -> Callable[[str, str], str]:
        """Return the function from task id and stored status to public status; it reads the switches at most once."""
        switches = cache(self._schedules.switches)

        def public_status(task_id: str, status: str) -> str:
            switch = switches().get(task_id) if status == State.PENDING else None
            return State.PAUSED if switch and not switch.on else status

        return public_status
