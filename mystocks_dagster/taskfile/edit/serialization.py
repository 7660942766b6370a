"""A task file in and out of the system: as YAML or JSON, without loss and without secrets."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mystocks_dagster.taskfile.edit import writer
from mystocks_dagster.taskfile.edit.plans import Changes, EntryPath, Plan, ids, planned
from mystocks_dagster.taskfile.edit.writer import Edit
from mystocks_dagster.taskfile.model import Entry
from mystocks_dagster.taskfile.problems import TaskFileError
from mystocks_dagster.taskfile.reader import load_source
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Section, document_of, with_defaults
from mystocks_dagster.taskfile.yaml.dump import dump
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text

Format = Literal["yaml", "json"]
#: What a file says of itself and of its alerts.
_HEAD = ("version", "description", "alerts")


def to_dict(entry: Entry) -> dict[str, Any]:
    """Return a task or group as it would be written: only what differs from the defaults, variables unresolved."""
    differing = entry.model_dump(mode="json", exclude_defaults=True)
    return {
        key: value if key in entry.templates else _pruned(value, differing[key])
        for key, value in entry.written().items()
        if key in differing or key in entry.templates
    }


def export_text(path: Path, form: Format = "yaml") -> str:
    """Return the task file as YAML (with its comments) or as JSON; variables stay as they are written.

    Raises:
        TaskFileError: The file cannot be read.
    """
    text = read_text(path)
    source = parse_text(text, str(path))
    if form == "json":
        return json.dumps(source.data, ensure_ascii=False, indent=2) + "\n"
    return dump(source.data) if text.lstrip().startswith("{") else text


def import_file(path: Path, incoming_path: Path, *, dry_run: bool = False) -> Edit:
    """Take the tasks and groups of another file, YAML or JSON, into the task file.

    An entry whose id is there already replaces that one; the others are added. What the other file has under
    `defaults` is written into its tasks, its `task_packages` are added to ours, and what it says of itself and of
    `alerts` is taken where ours says nothing.

    Raises:
        TaskFileError: The other file, or what would come out, is wrong; the task file is as it was.
    """
    wanted = incoming(path, read_text(incoming_path), str(incoming_path))
    return writer.change(path, lambda ours: importing(ours, wanted), dry_run=dry_run)


class Incoming(NamedTuple):
    """A file that is to be taken in, which is right; `params` has the names that each task's function is given."""

    source: Source
    params: Mapping[str, frozenset[str]]


def incoming(path: Path, text: str, name: str) -> Incoming:
    """Return a task file that is to be taken into the one at `path`; functions are looked for beside that, in both files' packages.

    Raises:
        TaskFileError: It is wrong.
    """
    source = normalized(parse_text(text, name))
    ours, theirs = (packages_of(one) for one in (parse_text(read_text(path), str(path)), source))
    joined = {**source.data, "task_packages": [*theirs, *(package for package in ours if package not in theirs)]}
    version = load_source(replace(source, data=joined if ours else source.data), path)
    if version.problems:
        raise TaskFileError(version.problems, source.lines)
    return Incoming(source, {task.task_id: frozenset(task.params) for task in version.taskfile.tasks})


def normalized(source: Source) -> Source:
    """Return a file without the time of its export, and without fields that are null, as the former system writes them."""
    data = {key: value for key, value in source.data.items() if key != "export_time" and value is not None}
    for section in SECTIONS:
        if isinstance(entries := data.get(section), list):
            data[section] = [_without_nulls(entry) for entry in entries]
    return replace(source, data=data)


def _without_nulls(entry: Any) -> Any:
    """Return an entry without fields that are null; within `params` null is a value."""
    if not isinstance(entry, dict):
        return entry
    return {
        key: _without_nulls(value) if key == "schedule" else value for key, value in entry.items() if value is not None
    }


def packages_of(source: Source) -> list[Any]:
    """Return the `task_packages` of a file as they are written; none when they are no list."""
    found = source.data.get("task_packages")
    return found if isinstance(found, list) else []


def importing(ours: Source, wanted: Incoming) -> Plan:
    """Return how to take another file into ours; see `import_file`."""
    theirs = wanted.source
    document = document_of(theirs)
    new: dict[Section, list[Mapping[str, Any]]] = {section: [] for section in SECTIONS}
    edits: list[tuple[EntryPath, Changes]] = []
    for section, entries in document.entries.items():
        known = ids(ours, section)
        for raw in entries:
            merged = with_defaults(document.defaults, raw.data) if section == "tasks" else raw.data
            data = {key: merged[key] for key in (*raw.data, *merged) if key in merged}
            if section == "tasks" and isinstance(data.get("params"), dict):
                # Of the defaults a task has those that its function takes.
                kept = {*(raw.data.get("params") or {}), *wanted.params.get(raw.id or "", ())}
                data["params"] = {key: value for key, value in data["params"].items() if key in kept}
            if raw.id and raw.id in known:
                index = known.index(raw.id)
                edits.append(((section, index), replacing(ours.data[section][index], data)))
            else:
                new[section].append(data)
    head = {key: theirs.data[key] for key in _HEAD if key in theirs.data and key not in ours.data}
    return planned(ours, edited=edits, added=new, packages=theirs.data.get("task_packages") or [], head=head)


def replacing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes (see `writer.edit_task`) that turn `old` into `new`, and say nothing of what is equal."""
    changes: dict[str, Any] = {key: None for key in old if new.get(key) is None}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := replacing(before, value):
                changes[key] = inner
        elif value is not None and value != before:
            changes[key] = value
    return changes


def _pruned(full: Any, wanted: Any) -> Any:
    """Return of `full` the keys that `wanted` has."""
    if isinstance(full, dict) and isinstance(wanted, dict):
        return {key: _pruned(full[key], value) for key, value in wanted.items()}
    return full
