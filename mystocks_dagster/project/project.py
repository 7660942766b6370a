"""One project as an object: what CLI, REST, pages, Python and Dagster's management jobs do with tasks.

All of them go through `Project`; it asks `access.check` for each action. Importing it does not import Dagster.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mystocks_dagster.project import reload_state
from mystocks_dagster.project.access import CLI, Action, Caller, check
from mystocks_dagster.project.state import ProjectState
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.last_good import notice
from mystocks_dagster.taskfile.model import Group, Task, TaskFile
from mystocks_dagster.taskfile.reader import Version

if TYPE_CHECKING:
    import dagster as dg

    from mystocks_dagster.history.catch_up import Progress
    from mystocks_dagster.history.models import CleanupResult, Execution, Statistics
    from mystocks_dagster.project.edit import TaskFileEditor
    from mystocks_dagster.project.health import Check, Health
    from mystocks_dagster.project.reload import ReloadResult
    from mystocks_dagster.project.run_control import RunControl
    from mystocks_dagster.project.run_history import RunHistory
    from mystocks_dagster.project.schedules import Schedules
    from mystocks_dagster.runs.backfill import Planner
    from mystocks_dagster.runs.launch import Repository
    from mystocks_dagster.runs.stop import StopResult
    from mystocks_dagster.scheduling.next_runs import NextRun
    from mystocks_dagster.scheduling.switch_table import Switch
    from mystocks_dagster.trading_calendar.refresh import Refreshed


class Project:
    """One project for one caller.

    A program that lives longer than a save of the task file takes its projects from `project_cache.ProjectCache`.

    Args:
        settings: The project's.
        instance: Opened already; else it is opened when first needed.
        caller: Who asks: what it may do, and the tag `mystocks/started_by` of the runs that it starts.
        warn: Called once, when the last good version of the task file is used instead of it, with the line that says
            so.
        state: What has been read and opened already, in place of `settings`, `instance` and `warn`.
    """

    def __init__(
        self,
        settings: Settings,
        instance: "dg.DagsterInstance | None" = None,
        *,
        caller: Caller = CLI,
        warn: Callable[[str], None] = lambda _: None,
        state: ProjectState | None = None,
    ) -> None:
        self.settings = settings
        self.caller = caller
        self._state = state or ProjectState(settings, instance, warn=warn)

    @property
    def version(self) -> Version:
        """The task file without what is broken in it, or its last good version; see `ProjectState.version`."""
        return self._state.version

    @property
    def loaded(self) -> Version | None:
        """The version of the task file, when it was read already."""
        return self._state.loaded

    @property
    def notice(self) -> str | None:
        """One line when the task file is not what is used: here, where its last good version is, or by the web UI."""
        return notice(self.version) or reload_state.trouble(self.settings)

    @property
    def taskfile(self) -> TaskFile:
        """The tasks and groups that can run."""
        return self._state.taskfile

    @property
    def task_ids(self) -> dict[str, str]:
        """Dagster name to task id."""
        return self._state.task_ids

    def find(self, name: str) -> Task | Group:
        """Return the task or group of that id.

        Raises:
            UnknownName: There is none; the message lists near names.
            TaskFileError: It is broken in the file; the message has the lines.
        """
        return self._state.find(name)

    def title(self, name: str) -> str:
        """Return the name, for people, of the task or group of that id."""
        entry = self.find(name)
        return entry.group_name if isinstance(entry, Group) else entry.task_name

    @cached_property
    def edits(self) -> "TaskFileEditor":
        """Changes of the task file: add, edit, replace, remove, import, export."""
        from mystocks_dagster.project.edit import TaskFileEditor

        return TaskFileEditor(self.settings, self.caller, self._state.background_reload)

    def reload(self) -> "ReloadResult":
        """Make the web UI, if one runs, use the task file as it is now; raises as `reload.reload` does."""
        from mystocks_dagster.project.reload import reload

        check(self.caller, Action.RELOAD)
        return reload(self.settings)

    @property
    def instance(self) -> "dg.DagsterInstance":
        """The project's Dagster instance."""
        return self._state.instance

    @property
    def repository(self) -> "Repository":
        """The definitions from which runs are made."""
        return self._state.repository

    @property
    def daemon_alive(self) -> bool:
        """Whether a daemon takes runs off the queue."""
        from mystocks_dagster.runs.launch import daemon_alive

        return daemon_alive(self.instance)

    def create(self, name: str, params: Mapping[str, Any], *, only: bool = False, force: bool = False) -> str:
        """Write a new run of a task or group and return the run's id.

        Args:
            name: Id of a task or group.
            params: Values for the task's parameters, for this run only.
            only: Leave out the tasks that it depends on.
            force: Run a group although the file has it disabled.

        Raises:
            UnknownName, InvalidParams: There is no such task or group, or its function does not take these parameters.
            AlreadyRunning: The task's `max_instances` are under way.
            Disabled: The file has the group disabled.
            Forbidden: The caller may not give these parameters.
        """
        return self._runs.create(name, params, only=only, force=force)

    def start(self, name: str, params: Mapping[str, Any], *, only: bool = False, force: bool = False) -> str:
        """Put a new run into the daemon's queue, and return its id at once; arguments and errors as in `create`.

        Raises:
            NoDaemon: No daemon is alive, so that the run would wait for ever; nothing was started.
        """
        return self._runs.start(name, params, only=only, force=force)

    def unlisted_params(self, name: str, params: Mapping[str, Any]) -> list[str]:
        """Return a warning for each parameter of a plain dict that the task file does not list."""
        return self._runs.unlisted_params(name, params)

    def backfill(self, name: str) -> "Planner":
        """Return what plans and writes a task's backfills; `InvalidParams` when it keeps no table by trading day."""
        return self._runs.backfill(name)

    def stop(self, name: str) -> "list[StopResult]":
        """Stop what a task or group has under way, or the run or execution of that id; return when it has ended.

        Raises:
            NotRunning: Nothing of it runs or waits; `UnknownName` when there is nothing of that name.
        """
        return self._runs.stop(name)

    def history(
        self,
        name: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        status: str | None = None,
    ) -> "Iterator[Execution]":
        """Yield executions that started in [since, until), those of the newest run first, `limit` at most.

        With the id of a task they are its own, in whichever job; with that of a group, those of all tasks in the
        group's runs.
        """
        return self._history.executions(name, since, until, limit, status)

    def execution(self, execution_id: str) -> "Execution":
        """Return one execution by its id, `<run id>:<step>`; raises `UnknownName`."""
        return self._history.execution(execution_id)

    def executions_of_run(self, run_id: str) -> "list[Execution]":
        """Return the executions of one run, those of tasks that have not begun included."""
        return self._history.of_run(run_id)

    def statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> "dict[str, Statistics]":
        """Return statistics by task id, of every task or of one, over the executions that started in [since, until).

        Tasks of the file are there even when they never ran; what clean-ups removed is counted.
        """
        return self._history.statistics(task_id, since, until)

    def last_outcomes(self) -> dict[str, str]:
        """Return by task id how the newest execution ended that worked or failed; skipped ones do not count."""
        return self._history.last_outcomes()

    def read_history(self, progress: "Progress | None" = None, *, rebuild: bool = False) -> None:
        """Bring the roll-up up to date, as every question about history does; `rebuild` makes it anew.

        `progress` is called after each batch with how many runs of how many have been read: the first time takes
        minutes.
        """
        self._history.read(progress, rebuild=rebuild)

    def cleanup(self, days: int, *, dry_run: bool = False, progress: "Progress | None" = None) -> "CleanupResult":
        """Remove runs, events, logs and ticks that ended more than `days` days ago; what stands on them stays.

        Args:
            days: At least 1.
            dry_run: Only say what would be removed.
            progress: As in `read_history`.

        Raises:
            InstanceError: Another clean-up runs, or `days` is less than 1.
        """
        return self._history.clean_up(days, dry_run=dry_run, progress=progress)

    def find_executions(self, name: str, run: str | None = None) -> "list[Execution]":
        """Return the executions that a person means; see `logs.find`."""
        from mystocks_dagster.project import logs

        return logs.find(self._history, name, run)

    def logs(self, execution_id: str) -> str:
        """Return what an execution has logged and printed so far; see `logs.read`."""
        from mystocks_dagster.project import logs

        return logs.read(self._history, execution_id)

    def follow_logs(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield what an execution logs and prints, as it comes, until it has ended; see `logs.follow`."""
        from mystocks_dagster.project import logs

        return logs.follow(self._history, execution_id, beat=beat)

    def switches(self) -> "dict[str, Switch]":
        """Return the switches of all tasks and groups that have a schedule, by id."""
        return self._schedules.switches()

    def switch(self, name: str, on: bool | None) -> "Switch":
        """Turn the schedule of a task or group on or off, or (None) back to what the file says."""
        return self._schedules.switch(name, on)

    def next_runs(self, name: str | None, count: int) -> "list[NextRun]":
        """Return the next `count` starts of each schedule that is on, of all or of one task or group, in order."""
        return self._schedules.next_runs(name, count)

    def refresh_calendar(self, source: str | None = None) -> "Refreshed":
        """Ask a source, the project's own when None, for the trading days that it knows."""
        from mystocks_dagster.project.calendar_refresh import refresh_calendar

        check(self.caller, Action.REFRESH_CALENDAR)
        return refresh_calendar(self._state, source)

    def health(self) -> "Health":
        """Say whether the project does its work, and what to do where it does not."""
        from mystocks_dagster.project.health import health

        return health(self._state, self._history, self._schedules)

    def doctor(self) -> "list[Check]":
        """Look for what keeps the project from running on this machine."""
        from mystocks_dagster.project.doctor import examine

        return examine(self._state)

    @cached_property
    def _runs(self) -> "RunControl":
        from mystocks_dagster.project.run_control import RunControl

        return RunControl(self._state, self.caller)

    @cached_property
    def _schedules(self) -> "Schedules":
        from mystocks_dagster.project.schedules import Schedules

        return Schedules(self._state, self.caller)

    @cached_property
    def _history(self) -> "RunHistory":
        from mystocks_dagster.project.run_history import RunHistory

        return RunHistory(self._state, self._schedules, self.caller)
