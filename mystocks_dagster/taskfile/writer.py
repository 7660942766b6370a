"""Edits of the task file: comments and order stay, nothing wrong is written, and two editors lose nothing."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import MyStocksError, UnknownName
from mystocks_dagster.taskfile import files, splice
from mystocks_dagster.taskfile.document import SECTIONS, Section
from mystocks_dagster.taskfile.problems import Problem, TaskFileError, suggest
from mystocks_dagster.taskfile.reader import load_text
from mystocks_dagster.taskfile.source import Source, parse_text, read_text
from mystocks_dagster.taskfile.splice import Splice, Splicer, merge_patch

#: Times that an edit is made again because somebody saved the file meanwhile without asking for the lock.
_ATTEMPTS = 5

Changes = Mapping[str, Any]
#: Section and index of an entry.
Place = tuple[Section, int]


class EditRefused(MyStocksError):
    """An edit would break what others rely on: the id is taken, or still in use.

    Attributes:
        names: The ids that stand in the way.
    """

    def __init__(self, message: str, names: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


@dataclass(frozen=True)
class Edit:
    """What an edit did to the text, or would do in a dry run."""

    path: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The difference, line by line."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), str(self.path), str(self.path), lineterm="")
        return "\n".join(lines)


@dataclass(frozen=True)
class Plan:
    """What an edit wants: the data that must come out, and ways to the text, the gentlest first."""

    data: dict[str, Any]
    ways: Sequence[Sequence[Splice]]


def add_task(path: Path, task: Mapping[str, Any], *, dry_run: bool = False) -> Edit:
    """Add a task at the end of the file's tasks.

    Args:
        path: The task file.
        task: Its fields, as JSON values.
        dry_run: Only say what would change.

    Raises:
        EditRefused: The id is taken.
        TaskFileError: The file would be wrong; the message has the line. The file is as it was.
    """
    return change(path, lambda source: _added(source, "tasks", task), dry_run=dry_run)


def add_group(path: Path, group: Mapping[str, Any], *, dry_run: bool = False) -> Edit:
    """Add a group at the end of the file's groups; see `add_task`."""
    return change(path, lambda source: _added(source, "task_groups", group), dry_run=dry_run)


def edit_task(path: Path, task_id: str, changes: Changes, *, dry_run: bool = False) -> Edit:
    """Change fields of a task.

    Args:
        path: The task file.
        task_id: The task.
        changes: Merged into the task (RFC 7386): None removes a field, mappings are merged, all else replaces.
        dry_run: Only say what would change.

    Raises:
        UnknownName: There is no such task.
        TaskFileError: The file would be wrong; the message has the line. The file is as it was.
    """
    return change(path, lambda source: planned(source, edited=[("tasks", task_id, changes)]), dry_run=dry_run)


def edit_group(path: Path, group_id: str, changes: Changes, *, dry_run: bool = False) -> Edit:
    """Change fields of a group; see `edit_task`."""
    return change(path, lambda source: planned(source, edited=[("task_groups", group_id, changes)]), dry_run=dry_run)


def set_enabled(path: Path, name: str, enabled: bool, *, dry_run: bool = False) -> Edit:
    """Switch a task or group on or off in the file: its schedule when it has one, else the entry itself."""

    def plan(source: Source) -> Plan:
        section = next((section for section in SECTIONS if name in ids(source, section)), "tasks")
        data = source.data[section][_index(source, section, name)]
        changes: dict[str, Any] = {}
        if isinstance(data.get("schedule"), dict):
            changes["schedule"] = {"enabled": enabled}
        elif not enabled:
            changes["enabled"] = False
        if enabled and "enabled" in data:
            changes["enabled"] = True
        return planned(source, edited=[(section, name, changes)])

    return change(path, plan, dry_run=dry_run)


def remove_task(path: Path, task_id: str, *, force: bool = False, dry_run: bool = False) -> Edit:
    """Remove a task, with the comment directly above it.

    Args:
        path: The task file.
        task_id: The task.
        force: Also take it out of the tasks and groups that name it; a group that has no other task goes too.
        dry_run: Only say what would change.

    Raises:
        UnknownName: There is no such task.
        EditRefused: Others depend on it and `force` is not given; `names` says which.
    """
    return change(path, lambda source: _removed(source, task_id, force=force), dry_run=dry_run)


def remove_group(path: Path, group_id: str, *, dry_run: bool = False) -> Edit:
    """Remove a group; its tasks stay."""
    return change(path, lambda source: planned(source, removed=_place(source, "task_groups", group_id)), dry_run=dry_run)


def ids(source: Source, section: Section) -> list[str | None]:
    """Return the ids of a section by index."""
    entries = source.data.get(section)
    return [entry.get(SECTIONS[section]) if isinstance(entry, dict) else None for entry in entries] if isinstance(entries, list) else []


def change(path: Path, plan: Callable[[Source], Plan], *, dry_run: bool = False) -> Edit:
    """Make an edit under the file's lock: plan, check, back up, replace.

    Raises:
        TaskFileError: The file cannot be read, or would be wrong.
    """
    path = Path(path).resolve()
    with files.locked(path):
        for _ in range(_ATTEMPTS):
            text = read_text(path)
            raw = path.read_bytes()
            source = parse_text(text, str(path))
            after = _text(source, plan(source))
            _check(path, text, after)
            if dry_run or after == source.text:
                return Edit(path, text, after)
            if path.read_bytes() == raw:
                mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
                files.replace(path.with_name(f"{path.name}.bak"), raw)
                files.replace(path, mark + after.encode())
                return Edit(path, text, after)
    raise EditRefused(f"{path} is being saved again and again by another program; try again.")


def _text(source: Source, plan: Plan) -> str:
    """Return the new text: the first way that comes out as exactly the data that is wanted."""
    if (indent := _json_indent(source.text)) is not None:
        return json.dumps(plan.data, ensure_ascii=False, indent=indent or None) + "\n"
    for way in plan.ways:
        text = splice.apply(source.text, way)
        try:
            if parse_text(text, source.file).data == plan.data:
                return text
        except TaskFileError:
            continue
    raise EditRefused(f"{source.file} is written in a style (anchors, merges) in which this cannot be changed safely; edit it by hand.")


def _json_indent(text: str) -> int | None:
    """Return how far a JSON text is indented; None when it is no JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        json.loads(text)
    except ValueError:
        return None
    found = re.search(r"\{\s*\n( *)\S", text)
    return len(found[1]) if found else 0


def _check(path: Path, before: str, after: str) -> None:
    """Refuse a text that has problems which the file did not have already."""
    new = load_text(after, path).problems
    if not new:
        return
    known = Counter(_gist(problem) for problem in load_text(before, path).problems)
    worse = []
    for problem in new:
        known[_gist(problem)] -= 1
        if known[_gist(problem)] < 0:
            worse.append(problem)
    if worse:
        raise TaskFileError(worse, parse_text(after, str(path)).lines)


def _gist(problem: Problem) -> tuple[str | None, str, str]:
    """Return a problem without its line and index, which an edit above it moves."""
    return problem.owner, re.sub(r"^(tasks|task_groups)\[\d+\]", "", problem.path), problem.message


def _added(source: Source, section: Section, entry: Mapping[str, Any]) -> Plan:
    name = entry.get(SECTIONS[section])
    if any(name in ids(source, one) for one in SECTIONS):
        raise EditRefused(f"{source.file} has a task or group {name!r} already; choose another id, or edit that one.", [str(name)])
    return planned(source, added={section: [entry]})


def planned(
    source: Source,
    *,
    edited: Sequence[tuple[Section, str, Changes]] = (),
    added: Mapping[Section, Sequence[Mapping[str, Any]]] | None = None,
    removed: frozenset[Place] = frozenset(),
    packages: Sequence[str] = (),
) -> Plan:
    """Return how to change, add and remove entries, and to add task packages, all at once."""
    splicer = Splicer(source)
    data = {**source.data, **{section: list(source.data.get(section) or []) for section in SECTIONS}}
    common = [one for section, index in removed for one in splicer.remove_entry(section, index)]
    gentle: list[Splice] = []
    rough: list[Splice] = []
    for section, name, changes in edited:
        index = _index(source, section, name)
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
    if missing := [name for name in packages if name not in (data.get("task_packages") or [])]:
        data["task_packages"] = [*(data.get("task_packages") or []), *missing]
        common += splicer.add_packages(data["task_packages"])
    wanted = {key: value for key, value in data.items() if value or key in source.data}
    return Plan(wanted, [[*common, *gentle], [*common, *rough]])


def _removed(source: Source, task_id: str, *, force: bool) -> Plan:
    gone: set[Place] = {("tasks", _index(source, "tasks", task_id))}
    edits: list[tuple[Section, str, Changes]] = []
    fields: tuple[tuple[Section, str], ...] = (("tasks", "dependencies"), ("task_groups", "tasks"))
    for section, field in fields:
        for index, entry in enumerate(source.data.get(section) or []):
            named = entry.get(field) if isinstance(entry, dict) else None
            if not isinstance(named, list) or task_id not in named or (section, index) in gone:
                continue
            left = [name for name in named if name != task_id]
            if left or section == "tasks":
                edits.append((section, entry[SECTIONS[section]], {field: left or None}))
            else:
                gone.add((section, index))
    users = [name for _, name, _ in edits] + [
        entry for section, index in gone if section == "task_groups" and (entry := ids(source, section)[index])
    ]
    if users and not force:
        raise EditRefused(f"{task_id} is still named by {', '.join(users)}; remove it there first, or force it.", users)
    return planned(source, edited=edits, removed=frozenset(gone))


def _without(data: Mapping[str, Any], gone: Iterable[Place]) -> dict[str, Any]:
    return {
        **data,
        **{section: [entry for index, entry in enumerate(data[section]) if (section, index) not in gone] for section in SECTIONS},
    }


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a value when it goes through JSON: tuples become lists."""
    return json.loads(json.dumps(value))


def _place(source: Source, section: Section, name: str) -> frozenset[Place]:
    return frozenset({(section, _index(source, section, name))})


def _index(source: Source, section: Section, name: str) -> int:
    known = ids(source, section)
    if name not in known:
        what = "task" if section == "tasks" else "group"
        hint = suggest(name, [one for one in known if one], allowed="There are")
        raise UnknownName(f"{source.file} has no {what} {name!r}. {hint}")
    return known.index(name)
