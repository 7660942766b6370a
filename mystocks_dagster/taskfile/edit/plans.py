"""What an edit wants: the data that must come out of it, and ways to change the text so that they do."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import MyStocksError, UnknownName
from mystocks_dagster.taskfile.edit.splice import Splice, Splicer, merge_patch
from mystocks_dagster.taskfile.problems import suggest
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Section
from mystocks_dagster.taskfile.yaml.source import Source

#: Merged into an entry: None removes a field, mappings are merged, all else replaces (RFC 7386).
Changes = Mapping[str, Any]
#: Section and index of an entry.
EntryPath = tuple[Section, int]


class EditRefused(MyStocksError, status=409, exit_code=1):
    """An edit would break what others rely on: the id is taken, or still in use.

    Attributes:
        names: The ids that stand in the way.
    """

    def __init__(self, message: str, names: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)

    def _details(self) -> dict[str, Any]:
        return {"names": list(self.names)}


@dataclass(frozen=True)
class Plan:
    """What an edit wants: the data that must come out, and ways to the text, the gentlest first."""

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
    """Return how to change, add and remove entries, and to add task packages and what stands at the file's head, all at once."""
    splicer = Splicer(source)
    data = {**source.data, **{section: list(source.data.get(section) or []) for section in SECTIONS}}
    common = [one for section, index in removed for one in splicer.remove_entry(section, index)]
    gentle: list[Splice] = []
    rough: list[Splice] = []
    for (section, index), changes in edited:
        old = data[section][index]
        data[section][index] = merge_patch(old, _plain(changes))
        node = source.node((section, index))
        if node and node.kind == "map" and not node.flow:
            gentle += splicer.change(node, old, _plain(changes))
        rough += splicer.rewrite_entry(section, index, data[section][index])
    data = _without(data, removed)
    for section, entries in (added or {}).items():
        plain = [merge_patch({}, _plain(entry)) for entry in entries]
        if plain:
            data[section] = [*data[section], *plain]
            common += splicer.add_entries(section, plain)
    tops = dict(head or {})
    if missing := [name for name in packages if name not in (data.get("task_packages") or [])]:
        tops["task_packages"] = [*(data.get("task_packages") or []), *missing]
    if tops:
        data |= tops
        common += splicer.set_head(tops)
    wanted = {key: value for key, value in data.items() if value or key in source.data}
    return Plan(wanted, [[*common, *gentle], [*common, *rough]])


def addition(source: Source, section: Section, entry: Mapping[str, Any]) -> Plan:
    """Return how to add one entry.

    Raises:
        EditRefused: Its id is taken.
    """
    name = entry.get(SECTIONS[section])
    if any(name in ids(source, one) for one in SECTIONS):
        raise EditRefused(
            f"{source.file} already has a task or group {name!r}; choose another id, or edit that one.", [str(name)]
        )
    return planned(source, added={section: [entry]})


def removal(source: Source, task_id: str, *, force: bool) -> Plan:
    """Return how to remove a task; `force` takes it out of the tasks and groups that name it.

    Raises:
        UnknownName: There is no such task.
        EditRefused: Others name it, and `force` is not given.
    """
    gone = {place_of(source, "tasks", task_id)}
    edits: list[tuple[EntryPath, Changes]] = []
    fields: tuple[tuple[Section, str], ...] = (("tasks", "dependencies"), ("task_groups", "tasks"))
    for section, field in fields:
        for index, entry in enumerate(source.data.get(section) or []):
            named = entry.get(field) if isinstance(entry, dict) else None
            if not isinstance(named, list) or task_id not in named or (section, index) in gone:
                continue
            left = [name for name in named if name != task_id]
            if left or section == "tasks":
                edits.append(((section, index), {field: left or None}))
            else:
                gone.add((section, index))
    named_by = [place for place, _ in edits] + sorted(place for place in gone if place[0] == "task_groups")
    users = [ids(source, section)[index] or f"{section}[{index}]" for section, index in named_by]
    if users and not force:
        raise EditRefused(
            f"{task_id} is still used by {', '.join(users)}; remove it there first, or force the removal.", users
        )
    return planned(source, edited=edits, removed=frozenset(gone))


def switch(source: Source, name: str, *, enabled: bool) -> Plan:
    """Return how to switch a task or group on or off: its schedule when it has one, else the entry itself."""
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
    return (
        [entry.get(SECTIONS[section]) if isinstance(entry, dict) else None for entry in entries]
        if isinstance(entries, list)
        else []
    )


def place_of(source: Source, section: Section, name: str) -> EntryPath:
    """Return the place of the entry of that id.

    Raises:
        UnknownName: There is none; the message lists near names.
    """
    known = ids(source, section)
    if name not in known:
        what = "task" if section == "tasks" else "group"
        hint = suggest(name, [one for one in known if one], allowed="There are")
        raise UnknownName(f"{source.file} has no {what} {name!r}. {hint}")
    return section, known.index(name)


def _without(data: Mapping[str, Any], gone: Iterable[EntryPath]) -> dict[str, Any]:
    return {
        **data,
        **{
            section: [entry for index, entry in enumerate(data[section]) if (section, index) not in gone]
            for section in SECTIONS
        },
    }


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a value when it goes through JSON: tuples become lists."""
    return json.loads(json.dumps(value))
