"""`TaskManager`: everything that people do with tasks, as methods."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.history import of_run
from mystocks_dagster.manager.looking import LookingBack
from mystocks_dagster.manager.responses import GroupConfig, TaskConfig, TaskResponse
from mystocks_dagster.project import permissions
from mystocks_dagster.project.edit import EditResult, TaskFileEditor
from mystocks_dagster.scheduling.next_runs import NextRun
from mystocks_dagster.scheduling.switches import Switch
from mystocks_dagster.taskfile.edit import exports, serialization
from mystocks_dagster.taskfile.model import Group, Task


class TaskManager(LookingBack):
    """One project's tasks: list and change them, start and stop them, look back.

    Safe to share between threads. Every method raises a `MyStocksError`, whose message says what to do, when it cannot
    do what it was asked. Edits change tasks.yaml itself (comments and order stay) and make the running web UI use it.

    Args:
        settings: The project's; found from the working folder and the environment when left out.
        started_by: The tag `mystocks/started_by` of the runs that it starts.
        trusted: False for callers who may not widen what the task file is allowed to run; see `editing.Editor`.
    """

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

    def replace_task(
        self, task_id: str, config: TaskConfig | Mapping[str, Any], *, dry_run: bool = False
    ) -> TaskResponse:
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
        return self._told(
            self._editor.remove(task_id, section="tasks", force=force, dry_run=dry_run), "deleted", task_id
        )

    unregister_task = delete_task

    def register_function(self, name: str, function: Callable[..., Any], **fields: Any) -> TaskResponse:
        """Make a function startable as the task `name`.

        One that can be imported from an allowed task package becomes a task of tasks.yaml (a manual one, unless
        `fields`
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
        return self._told(
            self._editor.edit(group_id, changes, section="task_groups", dry_run=dry_run), "changed", group_id
        )

    def delete_group(self, group_id: str, *, dry_run: bool = False) -> TaskResponse:
        """Remove a group from tasks.yaml; its tasks stay."""
        return self._told(self._editor.remove(group_id, section="task_groups", dry_run=dry_run), "deleted", group_id)

    # Starting and stopping

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
            return self._local.start(self.project, name, params or {}, self._started_by)
        project = self.project
        if params and not self._trusted:
            permissions.check_start(project.version, name, params, commands=self.settings.api_commands)
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

    def next_runs(self, name: str | None = None, count: int = 10) -> list[NextRun]:
        """Return the next `count` starts of each schedule that is on, of all or of one task or group, in order."""
        return self.project.coming(name, count)

    # The whole file

    def import_config(self, path: str | Path, *, dry_run: bool = False) -> TaskResponse:
        """Take the tasks and groups of another file, YAML or JSON, into tasks.yaml; those of the same id are replaced."""
        return self._told(self._editor.import_file(Path(path), dry_run=dry_run), "imported", None)

    def import_text(self, text: str, name: str = "text", *, dry_run: bool = False) -> TaskResponse:
        """Do the same with a text; `name` is what messages call it."""
        return self._told(self._editor.import_text(text, name, dry_run=dry_run), "imported", None)

    def export_config(self, path: str | Path, *, force: bool = False) -> Path:
        """Write tasks.yaml to another file, as JSON when that ends in .json; variables stay as they are written.

        Args:
            path: A new file, or a former export that nobody has changed.
            force: Also replace another file.

        Raises:
            InvalidParams: Something else stands there.
        """
        return exports.export(self.settings, Path(path), force=force)

    # Inside

    @cached_property
    def _editor(self) -> TaskFileEditor:
        return TaskFileEditor(self.settings, trusted=self._trusted)

    def _turn(self, name: str, on: bool | None) -> Switch:
        if self._local.has(name):
            self._local.refuse_schedule(name)
        return self.project.switch(name, on)

    def _told(self, done: EditResult, verb: str, name: Any) -> TaskResponse:
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
            raise InvalidParams(
                f"The id of {name} cannot be changed: its history hangs on it. Register it anew, and delete this one."
            )


def _fields(config: Task | Group | Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as they would be written."""
    return serialization.to_dict(config) if isinstance(config, (Task, Group)) else dict(config)
