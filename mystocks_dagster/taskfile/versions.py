"""Copies of every version of the task file: a run uses the version with which it was queued.

A copy holds the file's entries as JSON, which a worker reads in milliseconds. Variables are not resolved, so no secret
of the environment reaches the disk.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.plain_files import real_path
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.names import dagster_name, mark_valid
from mystocks_dagster.taskfile.problems import Fault, Problem, TaskFileError, path_text
from mystocks_dagster.taskfile.reader import Version, load_document
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Document, Raw, Section, with_defaults


def store(version: Version, folder: Path) -> str:
    """Store a copy of a version in `folder`, and return its hash."""
    copy = {
        "source": str(real_path(version.source)),
        "head": dict(version.document.head),
        "writes": dict(version.writes),
        "also_writes": dict(version.also_writes),
        "broken": list(version.broken),
        **{
            section: [[raw.first, raw.last, raw.data] for raw in entries]
            for section, entries in version.document.entries.items()
        },
    }
    atomic_files.replace(
        folder / f"{version.hash}.json", json.dumps(copy, ensure_ascii=False, separators=(",", ":")).encode(), 0o600
    )
    return version.hash


def load_version(
    folder: Path,
    content: str,
    only: str | None = None,
    *,
    functions: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Version:
    """Return a stored version.

    Args:
        folder: The folder of the copies.
        content: Its hash.
        only: Dagster's name of a task or group: only it and its dependencies are built. All entries are built for
            another name, which is a job that may need them all.
        functions: As in `reader.read_task_file`.
        environment: Where variables are looked up; the process's own when None.

    Raises:
        TaskFileError: The copy is missing, or the entry cannot run any more, such as when a variable is not set.
    """
    path = folder / f"{content}.json"
    try:
        copy = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = "Start the task again: a new run uses the task file as it is now."
        message = f"the copy of the task file that this run was queued with cannot be read: {error}"
        raise TaskFileError([Problem(file=str(path), line=1, column=1, path="", message=message, hint=hint)]) from None
    entries = {
        section: [Raw(section, index, data, first, last) for index, (first, last, data) in enumerate(copy[section])]
        for section in SECTIONS
    }
    document = Document(
        copy["source"], copy["head"], entries, lambda fault, owner: _problem(copy["source"], entries, fault, owner)
    )
    needed = _needed(document, only) if only else None
    # Checked when the copy was stored; a check imports the tables, which takes longer than all the rest.
    mark_valid(raw.id for section in entries.values() for raw in section if raw.id and raw.id not in copy["broken"])
    writes, also_writes = (
        {label: tuple(tables) for label, tables in copy.get(key, {}).items()} for key in ("writes", "also_writes")
    )
    source = Path(copy["source"])
    known = {"writes": writes, "also_writes": also_writes}
    version = load_document(
        document, source, content, only=needed, functions=functions, environment=environment, **known
    )
    # Entries that were broken when the run was queued are not part of it; entries broken since then are an error.
    lost = [label for label in version.broken if needed and label in needed and label not in copy["broken"]]
    if lost:
        raise TaskFileError([problem for label in lost for problem in version.broken[label]])
    return version


def _needed(document: Document, only: str) -> frozenset[str] | None:
    """Return the ids of a task or group and of its dependencies; None when there is no such entry."""
    raws: dict[str, Raw] = {raw.id: raw for entries in document.entries.values() for raw in entries if raw.id}
    waiting = [name for name in raws if dagster_name(name) == only]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed or name not in raws:
            continue
        needed.add(name)
        raw = raws[name]
        data = with_defaults(document.defaults, raw.data) if raw.section == "tasks" else raw.data
        waiting += data.get("dependencies" if raw.section == "tasks" else "tasks") or []
    return frozenset(needed) or None


def _problem(file: str, entries: Mapping[Section, list[Raw]], fault: Fault, owner: str | None) -> Problem:
    """Return a fault with the first line of its entry, since the copy has no text."""
    section, index = (*fault.path[:2], None, None)[:2]
    raws: Any = entries.get(section, []) if section in SECTIONS else []  # type: ignore[call-overload]
    line = raws[index].first if isinstance(index, int) and index < len(raws) else 1
    return Problem(
        file=file, line=line, column=1, path=path_text(fault.path), message=fault.message, hint=fault.hint, owner=owner
    )
