"""The loaded state of a project, shared by its parts: task file, instance, definitions."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from mystocks_dagster.settings import Settings
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.last_good import load_for_reading, load_for_running, load_usable, notice
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.names import dagster_name
from mystocks_dagster.taskfile.reader import Version

# Dagster is imported only when the instance or a definition is needed: it takes longer than most commands.
if TYPE_CHECKING:
    import dagster as dg

    from mystocks_dagster.dagster_tables import DagsterTables
    from mystocks_dagster.project.background_reload import BackgroundReload
    from mystocks_dagster.runs.launch import Repository


class ProjectState:
    """A project's task file, loaded when first needed, and its Dagster instance.

    Args:
        settings: The project's settings.
        instance: The open Dagster instance; None: it is opened when first needed.
        background_reload: Reloads the web UI after an edit was answered; None: an edit waits for the reload.
        warn: Called at most once, with the warning that the last good version of the task file is in use.
    """

    def __init__(
        self,
        settings: Settings,
        instance: "dg.DagsterInstance | None" = None,
        background_reload: "BackgroundReload | None" = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.background_reload = background_reload
        self._instance = instance
        self._warn = warn
        self._parts: dict[str, Version] = {}

    @cached_property
    def version(self) -> Version:
        """The task file without its broken entries; if all of it is unusable, its last good version.

        Raises:
            TaskFileError: It is unusable, and there is no last good version.
        """
        return self._warned(load_usable(self.settings))

    @cached_property
    def _reading_version(self) -> Version:
        """The version for reading; without functions if these are known to be valid."""
        return self.loaded or self._warned(load_for_reading(self.settings))

    def _warned(self, version: Version) -> Version:
        if text := notice(version):
            self._warn(text)
        return version

    def version_for(self, name: str) -> Version:
        """Return a version with the functions that a run of one task or group needs; others may be missing."""
        if self.loaded:
            return self.loaded
        if name not in self._parts:
            self._parts[name] = load_for_running(self.settings, dagster_name(name)) or self.version
        return self._parts[name]

    def repository_for(self, name: str) -> "Repository":
        """Return the definitions for a run of one task or group."""
        from mystocks_dagster.runs import launch

        if "repository" in self.__dict__ or self.version_for(name) is self.loaded:
            return self.repository
        return launch.load(self.settings, dagster_name(name))

    @property
    def loaded(self) -> Version | None:
        """The version with all functions if it is loaded already."""
        return self.__dict__.get("version")

    @property
    def known(self) -> Version | None:
        """The version that is loaded already, for runs or only for reading."""
        return self.loaded or self.__dict__.get("_reading_version")

    @property
    def taskfile(self) -> TaskFile:
        """The tasks and groups that can run."""
        return self._reading_version.taskfile

    @cached_property
    def task_ids(self) -> dict[str, str]:
        """Dagster name to task id."""
        return {task.dagster_name: task.task_id for task in self.taskfile.tasks}

    def find(self, name: str) -> Task | Group:
        """Return a task or group by its id; raises as `Project.find` does."""
        return self._reading_version.find(name)

    @cached_property
    def instance(self) -> "dg.DagsterInstance":
        """The project's Dagster instance."""
        from mystocks_dagster.instance import open_instance

        return self._instance or open_instance(self.settings)

    @cached_property
    def tables(self) -> "DagsterTables":
        """The instance's tables for reading, without importing Dagster as long as no instance is open."""
        from mystocks_dagster.dagster_tables import InstanceTables
        from mystocks_dagster.instance import open_tables

        opened = self._instance or self.__dict__.get("instance")
        return InstanceTables(opened) if opened else open_tables(self.settings)

    @cached_property
    def repository(self) -> "Repository":
        """The definitions for runs of all tasks and groups."""
        from mystocks_dagster.runs import launch

        return launch.load(self.settings)
