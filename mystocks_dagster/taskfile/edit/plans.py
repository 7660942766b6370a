"""Plans of edits: the resulting data, and alternative changes of the text that produce it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import MyStocksError, UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.taskfile.edit.splice import Splice, Splicer, merge_patch
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Section
from mystocks_dagster.taskfile.yaml.source import Source

#: Merged into an entry: None removes a field, mappings are merged, all else replaces (RFC 7386).
Changes = Mapping[str, Any]
#: Section and index of an entry.
EntryPath = tuple[Section, int]


class EditRefused(MyStocksError, status=409, exit_code=1):
    """An edit conflicts with other entries: its id is taken, or still in use.

    Attributes:
        names: The ids in conflict.
    """

    remedy = "Choose another id, or change the entries that the message names first."

    def __init__(self, message: str, names: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)

    def _details(self) -> dict[str, Any]:
        return {"names": list(self.names)}


@dataclass(frozen=True)
class Plan:
    """The resulting data of an edit, and alternative changes of the text, the smallest first."""

    data: dict[str, Any]
    ways: Sequence[Sequence[Splice]]


def planned(
    source: Source,
    *,
    edited: Sequence[tuple[EntryPath, Changes]] = (),
    added: Mapping[Section, Sequence[Mapping[str, Any]]] | None = None,
    removed: frozenset[EntryPath] = frozenset(),
    packages: Sequence[str] = (),
    head: Mapping[str, Any] | None = None,
) -> Plan:
    """Plan to change, add and remove entries, and to add task packages and settings of the file, in one edit."""
    splicer = Splicer(source)
    data = {**source.data, **{section: list(source.data.get(section) or []) for section in SECTIONS}}
    common: list[Splice] = []
    for section, index in removed:
        common += splicer.remove_entry(section, index)
    partial: list[Splice] = []
    rewritten: list[Splice] = []
    for (section, index), changes in edited:
        old = data[section][index]
        data[section][index] = merge_patch(old, _plain(changes))
        node = source.node((section, index))
        if node and node.kind == "map" and not node.flow:
            partial += splicer.change(node, old, _plain(changes))
        rewritten += splicer.rewrite_entry(section, index, data[section][index])
    data = _without(data, removed)
    for section, entries in (added or {}).items():
        plain = [merge_patch({}, _plain(entry)) for entry in entries]
        if plain:
            data[section] = [*data[section], *plain]
            common += splicer.add_entries(section, plain)
    settings = dict(head or {})
    if missing := [name for name in packages if name not in (data.get("task_packages") or [])]:
        settings["task_packages"] = [*(data.get("task_packages") or []), *missing]
    if settings:
        data |= settings
        common += splicer.set_head(settings)
    result = {key: value for key, value in data.items() if value or key in source.data}
    return Plan(result, [[*common, *partial], [*common, *rewritten]])


def addition(source: Source, section: Section, entry: Mapping[str, Any]) -> Plan:
    """Plan to add one entry.

    Raises:
        EditRefused: Its id is taken.
    """
    name = entry.get(SECTIONS[section])
    if any(name in ids(source, other) for other in SECTIONS):
        raise EditRefused(
            f"{source.file} already has a task or group {name!r}; choose another id, or edit that one.", [str(name)]
        )
    return planned(source, added={section: [entry]})


def removal(source: Source, task_id: str, *, force: bool) -> Plan:
    """Plan to remove a task; `force` also removes it from the tasks and groups that use it.

    Raises:
        UnknownName: There is no such task.
        EditRefused: Others use it, and `force` is not given.
    """
    removed = {place_of(source, "tasks", task_id)}
    edits: list[tuple[EntryPath, Changes]] = []
    fields: tuple[tuple[Section, str], ...] = (("tasks", "dependencies"), ("task_groups", "tasks"))
    for section, field in fields:
        for index, entry in enumerate(source.data.get(section) or []):
            names = entry.get(field) if isinstance(entry, dict) else None
            if not isinstance(names, list) or task_id not in names or (section, index) in removed:
                continue
            rest = [name for name in names if name != task_id]
            if rest or section == "tasks":
                edits.append(((section, index), {field: rest or None}))
            else:
                removed.add((section, index))
    used_by = [path for path, _ in edits] + sorted(path for path in removed if path[0] == "task_groups")
    users = [ids(source, section)[index] or f"{section}[{index}]" for section, index in used_by]
    if users and not force:
        raise EditRefused(
            f"{task_id} is still used by {', '.join(users)}; remove it there first, or force the removal.", users
        )
    return planned(source, edited=edits, removed=frozenset(removed))


def switch(source: Source, name: str, *, enabled: bool) -> Plan:
    """Plan to switch a task or group on or off: its schedule when it has one, else the entry itself."""
    section: Section = "task_groups" if name in ids(source, "task_groups") else "tasks"
    place = place_of(source, section, name)
    data = source.data[section][place[1]]
    changes: dict[str, Any] = {}
    if isinstance(data.get("schedule"), dict):
        changes["schedule"] = {"enabled": enabled}
    elif not enabled:
        changes["enabled"] = False
    if enabled and "enabled" in data:
        changes["enabled"] = True
    return planned(source, edited=[(place, changes)])


def ids(source: Source, section: Section) -> list[str | None]:
    """Return the ids of a section by index."""
    entries = source.data.get(section)
    entries = entries if isinstance(entries, list) else []
    return [entry.get(SECTIONS[section]) if isinstance(entry, dict) else None for entry in entries]


def place_of(source: Source, section: Section, name: str) -> EntryPath:
    """Return section and index of the entry with an id.

    Raises:
        UnknownName: There is no such entry; the message lists similar names.
    """
    known = ids(source, section)
    if name not in known:
        kind = "task" if section == "tasks" else "group"
        hint = suggest(name, filter(None, known), allowed="There are")
        raise UnknownName(f"{source.file} has no {kind} {name!r}. {hint}")
    return section, known.index(name)


def _without(data: Mapping[str, Any], removed: frozenset[EntryPath]) -> dict[str, Any]:
    kept = dict(data)
    for section in SECTIONS:
        kept[section] = [entry for index, entry in enumerate(data[section]) if (section, index) not in removed]
    return kept


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a value to JSON types: tuples become lists."""
    return json.loads(json.dumps(value))
