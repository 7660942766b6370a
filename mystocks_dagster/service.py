"""What people do with tasks, whichever way they reach us: find, start, follow, stop, look back."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import dagster as dg

from mystocks_dagster import history, launch
from mystocks_dagster.errors import InstanceError, UnknownName
from mystocks_dagster.history import Execution, Statistics
from mystocks_dagster.instance import open_instance
from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.model import Group, Task, TaskFile
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import Version, load_task_file


class Project:
    """One project: its task file and its Dagster instance, each opened when first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def version(self) -> Version:
        """The task file as it is now, without what is broken in it; raises `TaskFileError` when nothing can be used."""
        return load_task_file(self.settings.task_file)

    @property
    def taskfile(self) -> TaskFile:
        """The tasks and groups that can run."""
        return self.version.taskfile

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The project's Dagster instance."""
        return open_instance(self.settings)

    @cached_property
    def task_ids(self) -> dict[str, str]:
        """Dagster name to task id."""
        return {task.dagster_name: task.task_id for task in self.taskfile.tasks}

    def find(self, name: str) -> Task | Group:
        """Return the task or group of that id.

        Raises:
            UnknownName: There is none; the message lists near names.
            TaskFileError: It is broken in the file; the message has the lines.
        """
        known = self.taskfile.by_id()
        if name in known:
            return known[name]
        if name in self.version.broken:
            lines = self.settings.task_file.read_text(encoding="utf-8").splitlines()
            raise TaskFileError(self.version.broken[name], lines)
        near = get_close_matches(name, known, 3, 0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
        raise UnknownName(f"There is no task or group {name!r} in {self.settings.task_file}. {hint}")

    def title(self, name: str) -> str:
        """Return the name, for people, of the task or group of that id."""
        found = self.find(name)
        return found.group_name if isinstance(found, Group) else found.task_name

    def create(self, name: str, params: Mapping[str, Any], *, only: bool = False) -> str:
        """Write a new run of a task or group and return the run's id.

        Args:
            name: Id of a task or group.
            params: Values for the task's parameters, for this run only.
            only: Leave out the tasks that it depends on.
        """
        found = self.find(name)
        if isinstance(found, Group) and (params or only):
            raise InstanceError(f"{name} is a group: parameters and --only are for a single task.")
        config = {"ops": {found.dagster_name: {"config": dict(params)}}} if params else {}
        steps = [found.dagster_name] if only else None
        return launch.create_run(self.instance, self.settings, found.dagster_name, config, {"mystocks/started_by": "cli"}, steps)

    def history(self, task_id: str | None = None) -> Iterator[Execution]:
        """Yield executions, those of the newest run first."""
        return history.executions(self.instance, self.task_ids, task_id=task_id)

    def statistics(self, task_id: str | None = None) -> dict[str, Statistics]:
        """Return statistics by task id, of every task or of one."""
        names = {task.task_id: task.task_name for task in self.taskfile.tasks if task_id in (None, task.task_id)}
        return history.statistics(self.history(task_id), names)
