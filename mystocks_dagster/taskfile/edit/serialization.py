"""Export and import of task files as YAML or JSON, without loss and without secrets."""

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
#: Settings of a file that an import adopts when the task file has none.
_HEAD = ("version", "description", "alerts")


def to_dict(entry: Entry) -> dict[str, Any]:
    """Return a task or group as it would be written: fields that differ from the defaults, variables unresolved."""
    differing = entry.model_dump(mode="json", exclude_defaults=True)
    return {
        key: value if key in entry.templates else _pruned(value, differing[key])
        for key, value in entry.written().items()
        if key in differing or key in entry.templates
    }


def export_text(path: Path, form: Format = "yaml") -> str:
    """Return the task file as YAML (with comments) or as JSON; variables are not resolved.

    Raises:
        TaskFileError: The file cannot be read.
    """
    text = read_text(path)
    source = parse_text(text, str(path))
    if form == "json":
        return json.dumps(source.data, ensure_ascii=False, indent=2) + "\n"
    return dump(source.data) if text.lstrip().startswith("{") else text


def import_file(path: Path, incoming_path: Path, *, dry_run: bool = False) -> Edit:
    """Import the tasks and groups of another file, YAML or JSON, into the task file.

    An entry with a known id replaces the existing one; the others are added. The other file's `defaults` are written
    into its tasks, its `task_packages` are added, and its version, description and `alerts` are adopted where the task
    file has none.

    Raises:
        TaskFileError: The other file or the result is invalid; the task file is unchanged.
    """
    other = incoming(path, read_text(incoming_path), str(incoming_path))
    return writer.change(path, lambda source: importing(source, other), dry_run=dry_run)


class Incoming(NamedTuple):
    """A valid file to import; `params` holds the names of the params of each task by its id."""

    source: Source
    params: Mapping[str, frozenset[str]]


def incoming(path: Path, text: str, name: str) -> Incoming:
    """Return a file to import into the one at `path`; its functions are resolved beside that, in both files' packages.

    Raises:
        TaskFileError: The file is invalid.
    """
    source = normalized(parse_text(text, name))
    existing, added = packages_of(parse_text(read_text(path), str(path))), packages_of(source)
    joined = {**source.data, "task_packages": [*added, *(package for package in existing if package not in added)]}
    version = load_source(replace(source, data=joined if existing else source.data), path)
    if version.problems:
        raise TaskFileError(version.problems, source.lines)
    return Incoming(source, {task.task_id: frozenset(task.params) for task in version.taskfile.tasks})


def normalized(source: Source) -> Source:
    """Remove the time of the export and fields that are null, which the former system writes."""
    data = {key: value for key, value in source.data.items() if key != "export_time" and value is not None}
    for section in SECTIONS:
        if isinstance(entries := data.get(section), list):
            data[section] = [_without_nulls(entry) for entry in entries]
    return replace(source, data=data)


def _without_nulls(entry: Any) -> Any:
    """Remove fields that are null from an entry, but not within `params`, where null is a value."""
    if not isinstance(entry, dict):
        return entry
    return {
        key: _without_nulls(value) if key == "schedule" else value for key, value in entry.items() if value is not None
    }


def packages_of(source: Source) -> list[Any]:
    """Return the `task_packages` of a file as written; empty when they are not a list."""
    packages = source.data.get("task_packages")
    return packages if isinstance(packages, list) else []


def importing(source: Source, incoming: Incoming) -> Plan:
    """Plan to import another file into the task file; see `import_file`."""
    other = incoming.source
    document = document_of(other)
    new: dict[Section, list[Mapping[str, Any]]] = {section: [] for section in SECTIONS}
    edits: list[tuple[EntryPath, Changes]] = []
    for section, entries in document.entries.items():
        known = ids(source, section)
        for raw in entries:
            merged = with_defaults(document.defaults, raw.data) if section == "tasks" else raw.data
            data = {key: merged[key] for key in (*raw.data, *merged) if key in merged}
            if section == "tasks" and isinstance(data.get("params"), dict):
                # A task has only those default params that its function accepts.
                kept = {*(raw.data.get("params") or {}), *incoming.params.get(raw.id or "", ())}
                data["params"] = {key: value for key, value in data["params"].items() if key in kept}
            if raw.id and raw.id in known:
                index = known.index(raw.id)
                edits.append(((section, index), replacing(source.data[section][index], data)))
            else:
                new[section].append(data)
    head = {key: other.data[key] for key in _HEAD if key in other.data and key not in source.data}
    return planned(source, edited=edits, added=new, packages=other.data.get("task_packages") or [], head=head)


def replacing(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the smallest changes (see `writer.edit_task`) that turn `old` into `new`."""
    changes: dict[str, Any] = {key: None for key in old if new.get(key) is None}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := replacing(before, value):
                changes[key] = inner
        elif value is not None and value != before:
            changes[key] = value
    return changes


def _pruned(full: Any, selection: Any) -> Any:
    """Return only those keys of `full` that `selection` has."""
    if isinstance(full, dict) and isinstance(selection, dict):
        return {key: _pruned(full[key], value) for key, value in selection.items()}
    return full
