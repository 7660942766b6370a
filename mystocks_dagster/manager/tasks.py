"""`TaskManager`: a project for Python programs, and what REST answers with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mystocks_dagster.history.models import CleanupResult, Execution, Statistics
from mystocks_dagster.manager.entries import Entries
from mystocks_dagster.manager.local import LocalFunctions
from mystocks_dagster.manager.responses import GroupConfig, TaskConfig, TaskResponse, edited, started, stopped
from mystocks_dagster.manager.waiting import wait
from mystocks_dagster.project.access import PYTHON, Caller
from mystocks_dagster.project.health import Health
from mystocks_dagster.project.project import Project
from mystocks_dagster.project.project_cache import ProjectCache
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switch_table import Switch
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.model import Group, Task


class TaskManager:
    """One project's tasks: list and change them, start and stop them, look back.

    Safe to share between threads. Every method raises a `MyStocksError`, whose message says what to do, when it cannot
    do what it was asked. Edits change tasks.yaml itself (comments and order stay) and make the running web UI use it.

    Args:
        settings: The project's; found from the working folder and the environment when left out.
        caller: Who asks, and so what may be done.
        projects: Where the project comes from; a cache of its own when left out.
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
        """The project as it is now."""
        return self._projects.project(self._caller)

    @property
    def notice(self) -> str | None:
        """One line when tasks.yaml is not what is used, here or by the web UI; else None."""
        return self.project.notice

    def list_tasks(self, task_type: str | None = None, tags: Sequence[str] | str = ()) -> list[TaskConfig]:
        """Return the tasks that can run, in the order of the file.

        Args:
            task_type: Only tasks of this type.
            tags: Only tasks that have one of these tags; a text is read as tags separated by commas.
        """
        wanted = {tag.strip() for tag in (tags.split(",") if isinstance(tags, str) else tags)} - {""}
        tasks = self.project.taskfile.tasks
        return [one for one in tasks if task_type in (None, one.task_type) and (not wanted or wanted & set(one.tags))]

    def get_task(self, task_id: str) -> TaskConfig:
        """Return one task; raises `UnknownName` when there is none of that id."""
        return self._tasks.get(task_id)

    def register_task(self, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a task at the end of tasks.yaml.

        Args:
            config: The task, or its fields.
            dry_run: Only check it, and say what would change: `data["diff"]`.

        Raises:
            EditRefused: The id is taken.
            TaskFileError: Something is wrong with it; `problems` says what and where.
        """
        return self._tasks.register(config, dry_run=dry_run)

    def update_task(self, task_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Change fields of a task: None removes a field, mappings such as `schedule` are merged, all else replaces."""
        return self._tasks.update(task_id, changes, dry_run=dry_run)

    def replace_task(
        self, task_id: str, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False
    ) -> TaskResponse:
        """Let a task be what `config` says, all of it."""
        return self._tasks.replace(task_id, config, dry_run=dry_run)

    def delete_task(self, task_id: str, *, force: bool = False, dry_run: bool = False) -> TaskResponse:
        """Remove a task from tasks.yaml; its history stays.

        Args:
            task_id: The task.
            force: Also take it out of the tasks and groups that name it, which else is refused with their names.
            dry_run: As in `register_task`.
        """
        if self._local.has(task_id):
            self._local.remove(task_id)
            return TaskResponse(message=f"{task_id} is not registered in this process any more.", task_id=task_id)
        return self._tasks.delete(task_id, force=force, dry_run=dry_run)

    unregister_task = delete_task

    def register_function(self, name: str, function: Callable[..., Any], **fields: Any) -> TaskResponse:
        """Make a function startable as the task `name`.

        One that can be imported from an allowed task package becomes a task of tasks.yaml (a manual one, unless
        `fields` say else), which runs in any process and may be scheduled. Any other callable, such as a function of a
        notebook, runs in this process only, as long as it lives; what it does is in the same history.

        Args:
            name: The task's id.
            function: Takes params, params and run, run, or nothing.
            fields: Further fields of the task, as in tasks.yaml.

        `InvalidParams` when a callable of this process only is to be scheduled.
        """
        place = self._local.importable(self.project, function)
        if place is None:
            return self._local.register(self.project, name, function, fields)
        entry = {"task_id": name, "task_type": "manual", **fields, "task_module": place[0], "task_function": place[1]}
        known = self.project.taskfile.by_id().get(name)
        if isinstance(known, Task) and self.project.version.functions[name] is function:
            return self.update_task(name, {**fields, "task_module": place[0], "task_function": place[1]})
        return self.register_task(entry)

    def list_groups(self) -> list[GroupConfig]:
        """Return the groups that can run, in the order of the file."""
        return list(self.project.taskfile.task_groups)

    def get_group(self, group_id: str) -> GroupConfig:
        """Return one group; raises `UnknownName` when there is none of that id."""
        return self._groups.get(group_id)

    def register_group(self, config: GroupConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a group at the end of the groups of tasks.yaml; raises as `register_task` does."""
        return self._groups.register(config, dry_run=dry_run)

    def update_group(self, group_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Change fields of a group, as `update_task` does of a task."""
        return self._groups.update(group_id, changes, dry_run=dry_run)

    def delete_group(self, group_id: str, *, dry_run: bool = False) -> TaskResponse:
        """Remove a group from tasks.yaml; its tasks stay."""
        return self._groups.delete(group_id, dry_run=dry_run)

    def start_task(
        self, name: str, params: Mapping[str, Any] | None = None, *, only: bool = False, force: bool = False
    ) -> TaskResponse:
        """Start a task or group through the daemon's queue, and return at once; `execution_id` says what was started.

        Args:
            name: Id of a task or group.
            params: Values for the task's parameters, for this run only.
            only: Leave out the tasks that it depends on.
            force: Run a group although the file has it disabled.

        Raises:
            Disabled: The file has the group disabled.
            NoDaemon: Nobody would start it; nothing was done.
            AlreadyRunning: Its `max_instances` are under way; `executions` names them.
            InvalidParams: The function does not take these parameters.
        """
        if self._local.has(name):
            return self._local.start(self.project, name, params or {}, self._caller.name)
        project = self.project
        run_id = project.runs.start(name, params or {}, only=only, force=force)
        return started(project, name, run_id)

    def stop_task(self, name: str) -> TaskResponse:
        """Stop what a task or group has under way, or one run or execution by its id; return when it has ended.

        `NotRunning` when there is nothing to stop.
        """
        return stopped(name, self.project.runs.stop(name))

    def enable(self, name: str) -> Switch:
        """Switch the schedule of a task or group on, whatever the file says, until `reset`."""
        return self._turn(name, True)

    def disable(self, name: str) -> Switch:
        """Switch the schedule of a task or group off, whatever the file says, until `reset`; what runs goes on."""
        return self._turn(name, False)

    def reset(self, name: str) -> Switch:
        """Let the file's `enabled` count again."""
        return self._turn(name, None)

    def switches(self) -> dict[str, Switch]:
        """Return the switches of all tasks and groups that have a schedule, by id."""
        return self.project.schedules.switches()

    def next_runs(self, name: str | None = None, count: int = 10) -> list[NextRun]:
        """Return the next `count` starts of each schedule that is on, of all or of one task or group, in order."""
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
        """Return what ran, the newest first, at most `limit`.

        Args:
            task_id: Only executions of this task, or in the runs of this group; else `UnknownName`.
            limit: At most this many.
            status: Only executions of this status, such as `failed`.
            since: Only those that started at or after this aware time.
            until: Only those that started before this aware time.
        """
        project = self.project
        newest = list(project.history.executions(task_id, since=since, until=until, limit=limit, status=status))
        if task_id and not newest and not self._local.has(task_id):
            project.find(task_id)
        return newest

    def get_execution(self, execution_id: str) -> Execution:
        """Return one execution; raises `UnknownName` when there is none of that id."""
        return self.project.history.execution(execution_id)

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """Return an execution when it has ended.

        Args:
            execution_id: Which one.
            timeout: Seconds to wait at most; None: however long it takes.

        Raises:
            TimeoutError: It goes on after that.
        """
        return wait(self.get_execution, execution_id, timeout)

    def get_logs(self, execution_id: str) -> str:
        """Return what an execution has logged and printed so far."""
        return self.project.logs.read(execution_id)

    def follow_logs(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield what an execution logs and prints until it has ended; with `beat` also empty text meanwhile."""
        return self.project.logs.follow(execution_id, beat=beat)

    def get_statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id, of every task or of one, over the executions that started in [since, until).

        `UnknownName` when neither the file nor the history knows the task.
        """
        project = self.project
        statistics = project.history.statistics(task_id, since=since, until=until)
        if task_id and task_id not in statistics:
            project.find(task_id)
        return statistics

    def cleanup_executions(self, days: int = 7, *, dry_run: bool = False) -> CleanupResult:
        """Remove executions that ended more than `days` days (at least 1) ago; tables and statistics stay."""
        return self.project.history.clean_up(days, dry_run=dry_run)

    cleanup = cleanup_executions

    def health(self) -> Health:
        """Say whether the project works, and what to do where it does not."""
        return self.project.health()

    def import_config(self, path: str | Path, *, dry_run: bool = False) -> TaskResponse:
        """Take the entries of another file, YAML or JSON, into tasks.yaml; those of the same id are replaced."""
        return edited(self.project.edits.import_file(path, dry_run=dry_run), "imported", None)

    def import_text(self, text: str, name: str = "text", *, dry_run: bool = False) -> TaskResponse:
        """Do the same with a text; `name` is what messages call it."""
        return edited(self.project.edits.import_text(text, name, dry_run=dry_run), "imported", None)

    def export_config(self, path: str | Path, *, force: bool = False) -> Path:
        """Write tasks.yaml to a new file, or over a former export; variables stay as they are written.

        Args:
            path: YAML, or JSON when it ends in .json; `InvalidParams` when something else stands there.
            force: Also replace that.
        """
        return self.project.edits.export(path, force=force)

    def _turn(self, name: str, on: bool | None) -> Switch:
        if self._local.has(name):
            self._local.refuse_schedule(name)
        return self.project.schedules.switch(name, on)
