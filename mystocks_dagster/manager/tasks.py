"""`TaskManager`: everything that people do with tasks, as methods."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mystocks_dagster import health, tasklogs
from mystocks_dagster.current import Current
from mystocks_dagster.editing import Edited, Editor, runs_command
from mystocks_dagster.errors import Forbidden, InvalidParams, UnknownName
from mystocks_dagster.health import Health
from mystocks_dagster.history import Cleaned, Execution, Statistics, of_run
from mystocks_dagster.manager.local import LocalFunctions
from mystocks_dagster.manager.values import GroupConfig, TaskConfig, TaskResponse
from mystocks_dagster.service import Project
from mystocks_dagster.settings import Settings
from mystocks_dagster.switches import Switch
from mystocks_dagster.taskfile import exchange, files
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.upcoming import Coming

_UNDER_WAY = ("pending", "paused", "running")
_POLL_SECONDS = 0.25


class TaskManager:
    """One project's tasks: list and change them, start and stop them, look back.

    Safe to share between threads. Every method raises a `MyStocksError`, whose message says what to do, when it cannot
    do what it was asked. Edits change tasks.yaml itself (comments and order stay) and make the running web UI use it.

    Args:
        settings: The project's; found from the working folder and the environment when left out.
        started_by: The tag `mystocks/started_by` of the runs that it starts.
        trusted: False for callers who may not widen what the task file is allowed to run; see `editing.Editor`.
    """

    def __init__(self, settings: Settings | None = None, *, started_by: str = "python", trusted: bool = True) -> None:
        self._settings = settings
        self._started_by = started_by
        self._trusted = trusted

    @cached_property
    def settings(self) -> Settings:
        """The project's settings."""
        return self._settings or Settings.from_env()

    @property
    def project(self) -> Project:
        """The project as it is now."""
        return self._current.project()

    # Tasks

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
        found = self.project.find(task_id)
        if isinstance(found, Group):
            raise UnknownName(f"{task_id} is a group, not a task.")
        return found

    def register_task(self, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a task at the end of tasks.yaml.

        Args:
            config: The task, or its fields.
            dry_run: Only check it, and say what would change: `data["diff"]`.

        Raises:
            EditRefused: The id is taken.
            TaskFileError: Something is wrong with it; `problems` says what and where.
        """
        entry = _fields(config)
        return self._told(self._editor.add(entry, dry_run=dry_run), "registered", entry.get("task_id"))

    def update_task(self, task_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Change fields of a task: None removes a field, mappings such as `schedule` are merged, all else replaces."""
        self._same_id("task_id", task_id, changes, required=False)
        return self._told(self._editor.edit(task_id, changes, section="tasks", dry_run=dry_run), "changed", task_id)

    def replace_task(self, task_id: str, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Let a task be what `config` says, all of it."""
        entry = {"task_id": task_id, **_fields(config)}
        self._same_id("task_id", task_id, entry)
        return self._told(self._editor.replace(task_id, entry, section="tasks", dry_run=dry_run), "replaced", task_id)

    def delete_task(self, task_id: str, *, force: bool = False, dry_run: bool = False) -> TaskResponse:
        """Remove a task from tasks.yaml; its history stays.

        Args:
            task_id: The task.
            force: Also take it out of the tasks and groups that name it, which else is refused with their names.
            dry_run: Only say what would change.
        """
        if self._local.has(task_id):
            self._local.remove(task_id)
            return TaskResponse(message=f"{task_id} is not registered in this process any more.", task_id=task_id)
        return self._told(self._editor.remove(task_id, section="tasks", force=force, dry_run=dry_run), "deleted", task_id)

    unregister_task = delete_task

    def register_function(self, name: str, function: Callable[..., Any], **fields: Any) -> TaskResponse:
        """Make a function startable as the task `name`.

        One that can be imported from an allowed task package becomes a task of tasks.yaml (a manual one, unless `fields`
        say else), which runs in any process and may be scheduled. Any other callable, such as a function of a notebook,
        runs in this process only, as long as it lives; what it does is in the same history.

        Args:
            name: The task's id.
            function: Takes params, params and run, run, or nothing.
            fields: Further fields of the task, as in tasks.yaml.

        Raises:
            InvalidParams: A callable of this process only cannot be scheduled.
        """
        place = self._local.importable(self.project, function)
        if place is None:
            return self._local.register(self.project, name, function, fields)
        entry = {"task_id": name, "task_type": "manual", **fields, "task_module": place[0], "task_function": place[1]}
        known = self.project.taskfile.by_id().get(name)
        if isinstance(known, Task) and self.project.version.functions[name] is function:
            return self.update_task(name, {**fields, "task_module": place[0], "task_function": place[1]})
        return self.register_task(entry)

    # Groups

    def list_groups(self) -> list[GroupConfig]:
        """Return the groups that can run, in the order of the file."""
        return list(self.project.taskfile.task_groups)

    def get_group(self, group_id: str) -> GroupConfig:
        """Return one group; raises `UnknownName` when there is none of that id."""
        found = self.project.find(group_id)
        if isinstance(found, Task):
            raise UnknownName(f"{group_id} is a task, not a group.")
        return found

    def register_group(self, config: GroupConfig | Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Add a group at the end of the groups of tasks.yaml; raises as `register_task` does."""
        entry = _fields(config)
        return self._told(self._editor.add(entry, dry_run=dry_run), "registered", entry.get("group_id"))

    def update_group(self, group_id: str, changes: Mapping[str, Any], *, dry_run: bool = False) -> TaskResponse:
        """Change fields of a group, as `update_task` does of a task."""
        self._same_id("group_id", group_id, changes, required=False)
        return self._told(self._editor.edit(group_id, changes, section="task_groups", dry_run=dry_run), "changed", group_id)

    def delete_group(self, group_id: str, *, dry_run: bool = False) -> TaskResponse:
        """Remove a group from tasks.yaml; its tasks stay."""
        return self._told(self._editor.remove(group_id, section="task_groups", dry_run=dry_run), "deleted", group_id)

    # Starting and stopping

    def start_task(self, name: str, params: Mapping[str, Any] | None = None, *, only: bool = False, force: bool = False) -> TaskResponse:
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
            return self._local.start(self.project, name, params or {}, self._started_by)
        project = self.project
        if params and not self._trusted and not self.settings.api_commands and runs_command(project.version, name):
            raise Forbidden(f"{name} runs a command of this machine; with other parameters it is started there only: mystocks run {name}")
        run_id = project.start(name, params or {}, only=only, by=self._started_by, force=force)
        found = project.find(name)
        data: dict[str, Any] = {"run_id": run_id}
        if isinstance(found, Group):
            data["executions"] = [one.execution_id for one in of_run(project.instance, run_id, project.task_ids)]
            return TaskResponse(message=f"The group {name} is started: run {run_id}.", data=data, task_id=name)
        execution = f"{run_id}:{found.dagster_name}"
        return TaskResponse(message=f"{name} is started.", data=data, task_id=name, execution_id=execution)

    def stop_task(self, name: str) -> TaskResponse:
        """Stop what a task or group has under way, or one run or execution by its id; return when it has ended.

        Raises:
            NotRunning: There is nothing to stop.
        """
        stopped = self.project.stop(name)
        executions = [execution for one in stopped for execution in one.executions]
        return TaskResponse(
            message=f"Stopped: {', '.join(executions) or name}.",
            data={"runs": [one.to_json() for one in stopped]},
            task_id=name,
            execution_id=executions[0] if executions else None,
        )

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
        return self.project.switches()

    def next_runs(self, name: str | None = None, count: int = 10) -> list[Coming]:
        """Return the next `count` starts of each schedule that is on, of all or of one task or group, in order."""
        return self.project.coming(name, count)

    # Looking back

    def get_executions(
        self,
        task_id: str | None = None,
        limit: int = 100,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Execution]:
        """Return what ran, the newest first.

        Args:
            task_id: Only executions of this task.
            limit: At most this many.
            status: Only executions of this status, such as `failed`.
            since: Only those that started at or after this aware time.
            until: Only those that started before this aware time.

        Raises:
            UnknownName: Neither the file nor the history knows the task.
        """
        project = self.project
        newest = list(project.history(task_id, since=since, until=until, limit=limit, status=status))
        if task_id and not newest and not self._local.has(task_id):
            project.find(task_id)
        return newest

    def get_execution(self, execution_id: str) -> Execution:
        """Return one execution; raises `UnknownName` when there is none of that id."""
        return self.project.execution(execution_id)

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
        """Return an execution when it has ended.

        Args:
            execution_id: Which one.
            timeout: Seconds to wait at most; None: however long it takes.

        Raises:
            TimeoutError: It goes on after that; it is not stopped.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (found := self.get_execution(execution_id)).status in _UNDER_WAY:
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(
                    f"{execution_id} is {found.status} after {timeout:g} s; it goes on. Stop it with: stop_task({execution_id!r})"
                )
            time.sleep(_POLL_SECONDS)
        return found

    def get_logs(self, execution_id: str) -> str:
        """Return what an execution has logged and printed so far."""
        return tasklogs.read(self.project, execution_id)

    def follow_logs(self, execution_id: str, *, beat: bool = False) -> Iterator[str]:
        """Yield what an execution logs and prints, as it comes, until it has ended; with `beat` also empty text while nothing comes."""
        return tasklogs.follow(self.project, execution_id, beat=beat)

    def get_statistics(
        self, task_id: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Statistics]:
        """Return statistics by task id, of every task or of one, over the executions that started in [since, until).

        Raises:
            UnknownName: Neither the file nor the history knows the task.
        """
        project = self.project
        found = project.statistics(task_id, since=since, until=until)
        if task_id and task_id not in found:
            project.find(task_id)
        return found

    def cleanup_executions(self, days: int = 7, *, dry_run: bool = False) -> Cleaned:
        """Remove executions that ended more than `days` days (at least 1) ago from the history; tables and statistics stay."""
        return self.project.cleanup(days, dry_run=dry_run)

    cleanup = cleanup_executions

    def health(self) -> Health:
        """Say whether the project works, and what to do where it does not."""
        return health.health(self.project)

    # The whole file

    def import_config(self, path: str | Path, *, dry_run: bool = False) -> TaskResponse:
        """Take the tasks and groups of another file, YAML or JSON, into tasks.yaml; those of the same id are replaced."""
        return self._told(self._editor.import_file(Path(path), dry_run=dry_run), "imported", None)

    def import_text(self, text: str, name: str = "text", *, dry_run: bool = False) -> TaskResponse:
        """Do the same with a text; `name` is what messages call it."""
        return self._told(self._editor.import_text(text, name, dry_run=dry_run), "imported", None)

    def export_config(self, path: str | Path) -> Path:
        """Write tasks.yaml to another file, as JSON when that ends in .json; variables stay as they are written.

        Raises:
            InvalidParams: It is the task file itself.
        """
        target = Path(path).resolve()
        if target == self.settings.task_file:
            raise InvalidParams(f"{path} is the task file itself; choose another name to export to.")
        files.replace(target, exchange.export_text(self.settings.task_file, "json" if target.suffix == ".json" else "yaml").encode())
        return target

    # Inside

    @cached_property
    def _current(self) -> Current:
        return Current(self.settings)

    @cached_property
    def _editor(self) -> Editor:
        return Editor(self.settings, trusted=self._trusted)

    @cached_property
    def _local(self) -> LocalFunctions:
        return LocalFunctions()

    def _turn(self, name: str, on: bool | None) -> Switch:
        if self._local.has(name):
            self._local.refuse_schedule(name)
        return self.project.switch(name, on)

    def _told(self, done: Edited, verb: str, name: Any) -> TaskResponse:
        what = name or done.edit.path.name
        if not done.diff:
            message = f"{what}: there was nothing to change."
        elif done.dry_run:
            message = f"{what} could be {verb}; nothing was written."
        else:
            message = f"{what} is {verb}."
        if done.unused:
            message += f" The running web UI does not use it yet: {done.unused}"
        return TaskResponse(message=message, data=done.to_json(), task_id=name)

    @staticmethod
    def _same_id(field: str, name: str, entry: Mapping[str, Any], *, required: bool = True) -> None:
        if (required or field in entry) and entry.get(field) != name:
            raise InvalidParams(f"The id of {name} cannot be changed: its history hangs on it. Register it anew, and delete this one.")


def _fields(config: Task | Group | Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as they would be written."""
    return exchange.to_dict(config) if isinstance(config, (Task, Group)) else dict(config)
