"""Read and edit tasks and groups of the task file: one implementation for both kinds."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.manager.responses import TaskResponse, edit_response
from mystocks_dagster.project.project import Project
from mystocks_dagster.taskfile.edit import serialization
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Section

Entry = TypeVar("Entry", Task, Group)


class Entries(Generic[Entry]):
    """The tasks, or the groups, of a project.

    Args:
        kind: `Task` or `Group`.
        project: Returns the current project.
    """

    def __init__(self, kind: type[Entry], project: Callable[[], Project]) -> None:
        self._kind, self._project = kind, project
        self._section: Section = "tasks" if kind is Task else "task_groups"
        self._id_field = SECTIONS[self._section]

    def get(self, name: str) -> Entry:
        """Return an entry.

        Raises:
            UnknownName: There is no entry of that id and kind.
        """
        entry = self._project().find(name)
        if isinstance(entry, self._kind):
            return entry
        other, own = ("group", "task") if self._kind is Task else ("task", "group")
        raise UnknownName(f"{name} is a {other}, not a {own}.")

    def register(self, config: Task | Group | Mapping[str, Any], *, dry_run: bool) -> TaskResponse:
        """Add an entry at the end of its section."""
        entry = _fields(config)
        result = self._project().edits.add(entry, dry_run=dry_run)
        return edit_response(result, "registered", entry.get(self._id_field))

    def update(self, name: str, changes: Mapping[str, Any], *, dry_run: bool) -> TaskResponse:
        """Update fields by JSON Merge Patch (RFC 7386)."""
        result = self._project().edits.edit(name, changes, section=self._section, dry_run=dry_run)
        return edit_response(result, "changed", name)

    def replace(self, name: str, config: Task | Group | Mapping[str, Any], *, dry_run: bool) -> TaskResponse:
        """Replace all fields of an entry."""
        entry = {self._id_field: name, **_fields(config)}
        result = self._project().edits.replace(name, entry, section=self._section, dry_run=dry_run)
        return edit_response(result, "replaced", name)

    def delete(self, name: str, *, force: bool = False, dry_run: bool) -> TaskResponse:
        """Delete an entry; with `force` also remove a task from the entries that refer to it."""
        result = self._project().edits.remove(name, section=self._section, force=force, dry_run=dry_run)
        return edit_response(result, "deleted", name)


def _fields(config: Task | Group | Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields as the task file stores them."""
    return serialization.to_dict(config) if isinstance(config, (Task, Group)) else dict(config)
