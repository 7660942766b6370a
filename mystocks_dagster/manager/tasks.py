"""`TaskManager`: the Python interface of a project, also used by REST."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mystocks_dagster.history.models import CleanupResult, Execution, Statistics
from mystocks_dagster.manager import responses
from mystocks_dagster.manager.entries import Entries
from mystocks_dagster.manager.local import LocalFunctions
from mystocks_dagster.manager.responses import GroupConfig, TaskConfig, TaskResponse
from mystocks_dagster.manager.waiting import wait
from mystocks_dagster.project.access import PYTHON, Caller
from mystocks_dagster.project.data_coverage import CoverageReport
from mystocks_dagster.project.health import Health
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.project_cache import ProjectCache
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task

if TYPE_CHECKING:  # polars takes 0.4 s to import
    from mystocks_dagster.market.periods import Period
    from mystocks_dagster.screens.screen import ScreenResult


class TaskManager:
    """The tasks of a project: list, edit, start, stop, history.

    Thread-safe. Methods raise a `MyStocksError` with the remedy in its message. Edits change tasks.yaml itself, keep
    its comments and order, and make the running web UI load it.

    Args:
        settings: The project's settings. Default: from the working folder and the environment.
        caller: The caller, which decides what is allowed.
        projects: Cache of the project. Default: a new one.
    """

    def __init__(
        self, settings: Settings | None = None, *, caller: Caller = PYTHON, projects: ProjectCache | None = None
    ) -> None:
        self._settings, self._caller, self._given = settings, caller, projects
        self._tasks = Entries(Task, lambda: self.project)
        self._groups = Entries(Group, lambda: self.project)
        self._local = LocalFunctions()

    @cached_property
    def settings(self) -> Settings:
        """The project's settings."""
        return self._settings or Settings.from_env()

    @cached_property
    def _projects(self) -> ProjectCache:
        return self._given or ProjectCache(self.settings)

    @property
    def project(self) -> Project:
        """The current project."""
        return self._projects.project(self._caller)

    @property
    def looking(self) -> Project:
        """The current project for checks, which also say that the database is away."""
        return self._projects.looking(self._caller)

    @property
    def notice(self) -> str | None:
        """One line if this process or the web UI uses an older version of tasks.yaml; else None."""
        return self.project.notice

    def list_tasks(self, task_type: str | None = None, tags: Sequence[str] | str = ()) -> list[TaskConfig]:
        """Return the valid tasks in the order of the file.

        Args:
            task_type: Only tasks of this type.
            tags: Only tasks that have one of these tags; a text is a list of tags separated by commas.
        """
        names = tags.split(",") if isinstance(tags, str) else tags
        required = {tag.strip() for tag in names} - {""}
        tasks = self.project.taskfile.tasks
        if required:
            tasks = [task for task in tasks if required & set(task.tags)]
        return [task for task in tasks if task_type in (None, task.task_type)]

    def get_task(self, task_id: str) -> TaskConfig:
        """Return a task; raises `UnknownName` if there is no task of that id."""
        return self._tasks.get(task_id)

    def register_task(self, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a task at the end of tasks.yaml.

        Args:
            config: The task, or its fields.
            dry_run: Only check it and return the changes in `data["diff"]`.

        Raises:
            EditRefused: The id is taken.
            TaskFileError: The task is not valid; `problems` lists each fault with its location.
        """
        return self._tasks.register(config, dry_run=dry_run)

    def update_task(self, task_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Update fields of a task: None removes a field, mappings such as `schedule` are merged."""
        return self._tasks.update(task_id, changes, dry_run=dry_run)

    def replace_task(
        self, task_id: str, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False
    ) -> TaskResponse:
        """Replace all fields of a task."""
        return self._tasks.replace(task_id, config, dry_run=dry_run)

    def delete_task(self, task_id: str, *, force: bool = False, dry_run: bool = False) -> TaskResponse:
        """Delete a task from tasks.yaml; its history is kept.

        Args:
            task_id: The task.
            force: Also remove it from the tasks and groups that refer to it; without `force` that is refused.
            dry_run: As in `register_task`.
        """
        if self._local.has(task_id):
            self._local.remove(task_id)
            return TaskResponse(message=f"{task_id} is no longer registered in this process.", task_id=task_id)
        return self._tasks.delete(task_id, force=force, dry_run=dry_run)

    unregister_task = delete_task

    def register_function(self, name: str, function: Callable[..., Any], **fields: Any) -> TaskResponse:
        """Register a function as the task `name`.

        A function that can be imported from an allowed task package becomes a task of tasks.yaml, manual by default.
        It runs in any process and may be scheduled. Any other callable, such as a function of a notebook, runs in this
        process only; its executions are in the same history.

        Args:
            name: The task's id.
            function: A callable with the parameters params, run, both or none.
            fields: Further fields of the task, as in tasks.yaml; a process-local function cannot have a schedule.
        """
        location = self._local.importable(self.project, function)
        if location is None:
            return self._local.register(self.project, name, function, fields)
        place = {"task_module": location[0], "task_function": location[1]}
        existing = self.project.taskfile.by_id().get(name)
        if isinstance(existing, Task) and self.project.version.functions[name] is function:
            return self.update_task(name, {**fields, **place})
        return self.register_task({"task_id": name, "task_type": "manual", **fields, **place})

    def list_groups(self) -> list[GroupConfig]:
        """Return the valid groups in the order of the file."""
        return list(self.project.taskfile.task_groups)

    def get_group(self, group_id: str) -> GroupConfig:
        """Return a group; raises `UnknownName` if there is no group of that id."""
        return self._groups.get(group_id)

    def register_group(self, config: GroupConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a group at the end of the groups in tasks.yaml; see `register_task`."""
        return self._groups.register(config, dry_run=dry_run)

    def update_group(self, group_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Update fields of a group; see `update_task`."""
        return self._groups.update(group_id, changes, dry_run=dry_run)

    def delete_group(self, group_id: str, *, dry_run: bool = False) -> TaskResponse:
        """Delete a group from tasks.yaml; its tasks are kept."""
        return self._groups.delete(group_id, dry_run=dry_run)

    def start_task(
        self,
        name: str,
        params: Mapping[str, Any] | None = None,
        *,
        only: bool = False,
        force: bool = False,
        failed_only: bool = False,
    ) -> TaskResponse:
        """Start a task or group through the daemon's queue and return at once with the `execution_id`.

        Args:
            name: Id of a task or group.
            params: Values for the task's parameters, for this run only.
            only: Run without the task's dependencies.
            force: Run a group even if the task file disables it.
            failed_only: Repeat just what failed in the task's last execution, without the task's dependencies.

        Raises:
            NothingFailed: With `failed_only`, nothing failed in the last execution.
            Disabled: The task file disables the group.
            NoDaemon: No daemon is alive to start the run; nothing was queued.
            AlreadyRunning: The task has `max_instances` active executions; `executions` lists them.
            InvalidParams: The function does not accept these parameters.
        """
        if self._local.has(name):
            return self._local.start(self.project, name, params or {}, self._caller.name)
        project = self.project
        if failed_only:
            params, only = {**project.params_of_failed(name), **(params or {})}, True
        run_id = project.runs.start(name, params or {}, only=only, force=force)
        return responses.start_response(project, name, run_id)

    def stop_task(self, name: str) -> TaskResponse:
        """Stop the active runs of a task or group, or a run or execution by its id; return when they have ended.

        `NotRunning` if there is nothing to stop.
        """
        return responses.stop_response(name, self.project.runs.stop(name))

    def enable(self, name: str) -> Switch:
        """Turn the schedule of a task or group on until `reset`, overriding the task file."""
        return self._turn(name, True)

    def disable(self, name: str) -> Switch:
        """Turn the schedule of a task or group off until `reset`, overriding the task file. Active runs continue."""
        return self._turn(name, False)

    def reset(self, name: str) -> Switch:
        """Reset the switch to the task file's `enabled`."""
        return self._turn(name, None)

    def switches(self) -> dict[str, Switch]:
        """Return the switches of all scheduled tasks and groups by id."""
        return self.project.schedules.switches()

    def next_runs(self, name: str | None = None, count: int = 10) -> list[NextRun]:
        """Return the next `count` runs of each schedule that is on, for all or one task or group, in order of time."""
        return self.project.schedules.next_runs(name, count)

    def get_executions(
        self,
        task_id: str | None = None,
        limit: int = 100,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Execution]:
        """Return executions, the newest first.

        Args:
            task_id: Only executions of this task, or in the runs of this group; `UnknownName` if there is none.
            limit: Largest number of executions.
            status: Only executions with this status, such as `failed`.
            since: Only executions that started at or after this aware time.
            until: Only executions that started before this aware time.
        """
        project = self.project
        newest = list(project.history.executions(task_id, since=since, until=until, limit=limit, status=status))
        if task_id and not newest and not self._local.has(task_id):
            project.find(task_id)
        return newest

    def get_execution(self, execution_id: str) -> Execution:
        """Return an execution; raises `UnknownName` if there is no execution of that id."""
        return self.project.history.execution(execution_id)

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """Return an execution when it has ended.

        Raises:
            TimeoutError: The execution is still active after `timeout` seconds (None: no limit), and continues.
        """
        return wait(self.get_execution, execution_id, timeout)

    def get_logs(self, execution_id: str) -> str:
        """Return the log and output of an execution so far."""
        return self.project.logs.read(execution_id)

    def follow_logs(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield new log and output lines until an execution has ended; with `beat` also empty lines twice a second."""
        return self.project.logs.follow(execution_id, beat=beat)

    def get_statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id, for all tasks or one, of the executions that started in [since, until).

        `UnknownName` if neither the task file nor the history has `task_id`.
        """
        project = self.project
        statistics = project.history.statistics(task_id, since=since, until=until)
        if task_id and task_id not in statistics:
            project.find(task_id)
        return statistics

    def data_gaps(
        self, tables: Sequence[str] = (), *, start: date | None = None, end: date | None = None
    ) -> CoverageReport:
        """Return which trading days of the lake's tables are complete, partial, missing, quarantined, not published.

        Args:
            tables: Names of tables that are loaded by trading day; empty means all of them.
            start: First day. Default: each table's first loaded day.
            end: Last day. Default: today.
        """
        return self.project.coverage.report(tables, start=start, end=end)

    def screen(
        self,
        formula: str,
        *,
        day: date | str | None = None,
        period: "Period" = "daily",
        limit: int | None = None,
        parameters: Mapping[str, float] | None = None,
        seconds: float | None = None,
    ) -> "ScreenResult":
        """Return the symbols that pass a 通达信 formula on a day, with the values that made them pass.

        Args:
            formula: A formula with one output, which is true where it is not 0.
            day: The trading day, also as text such as 2026-11-27. Default: the newest stored one.
            period: The bars: daily, weekly or monthly.
            limit: Most symbols in the result. Default: all.
            parameters: Values of the formula's parameters by name.
            seconds: Most time. Default: no limit.
        """
        return self.project.screening.run(
            formula, day=day, period=period, limit=limit, parameters=parameters, seconds=seconds
        )

    def cleanup_executions(self, days: int = 7, *, dry_run: bool = False) -> CleanupResult:
        """Remove executions that ended more than `days` days ago (at least 1); tables and statistics are kept."""
        return self.project.history.clean_up(days, dry_run=dry_run)

    cleanup = cleanup_executions

    def health(self) -> Health:
        """Return the project's health: its parts, and a remedy for each that does not work."""
        return self.looking.health()

    def import_config(self, path: str | Path, *, dry_run: bool = False) -> TaskResponse:
        """Import the entries of a YAML or JSON file into tasks.yaml; entries of the same id are replaced."""
        return responses.edit_response(self.project.edits.import_file(path, dry_run=dry_run), "imported", None)

    def import_text(self, text: str, name: str = "text", *, dry_run: bool = False) -> TaskResponse:
        """Import the entries of a YAML or JSON text; messages call it `name`."""
        return responses.edit_response(self.project.edits.import_text(text, name, dry_run=dry_run), "imported", None)

    def export_config(self, path: str | Path, *, force: bool = False) -> Path:
        """Export tasks.yaml to a new file, or over an earlier export; variables are kept as `${NAME}`.

        Args:
            path: Target file, JSON if it ends in .json, else YAML; `InvalidParams` if it is not an earlier export.
            force: Also overwrite any other file.
        """
        return self.project.edits.export(path, force=force)

    def _turn(self, name: str, on: bool | None) -> Switch:
        if self._local.has(name):
            self._local.refuse_schedule(name)
        return self.project.schedules.switch(name, on)
