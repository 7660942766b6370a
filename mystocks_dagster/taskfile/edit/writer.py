"""Edits of the task file: they keep comments and order, write valid files only, and lose no concurrent edit."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mystocks_dagster.plain_files import real_path
from mystocks_dagster.taskfile import atomic_files
from mystocks_dagster.taskfile.edit import splice
from mystocks_dagster.taskfile.edit.difference import difference
from mystocks_dagster.taskfile.edit.plans import (
    Changes,
    EditRefused,
    Plan,
    addition,
    place_of,
    planned,
    removal,
    switch,
)
from mystocks_dagster.taskfile.problems import NotEditable, Problem, TaskFileError
from mystocks_dagster.taskfile.reader import Version, load_source
from mystocks_dagster.taskfile.yaml.document import Document, document_of
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text

#: Attempts of an edit when another program saves the file meanwhile without the lock.
_ATTEMPTS = 5
#: Raises when the file may not become the second document; called before anything is imported or resolved.
Screen = Callable[[Document, Document], None]
#: Raises when the file may not become the second version.
Allow = Callable[[Version, Version], None]


@dataclass(frozen=True)
class Edit:
    """The texts before and after an edit or a dry run."""

    path: Path
    before: str
    after: str

    @cached_property
    def diff(self) -> str:
        """The difference, line by line, without secrets."""
        return difference(self.before, self.after, str(self.path))


def add_task(path: Path, task: Mapping[str, Any], *, dry_run: bool = False) -> Edit:
    """Add a task at the end of the file's tasks.

    Args:
        path: The task file.
        task: Its fields, as JSON values.
        dry_run: Return the edit without writing it.

    Raises:
        EditRefused: The id is taken.
        TaskFileError: The result would be invalid; the message has the line. The file is unchanged.
    """
    return change(path, lambda source: addition(source, "tasks", task), dry_run=dry_run)


def add_group(path: Path, group: Mapping[str, Any], *, dry_run: bool = False) -> Edit:
    """Add a group at the end of the file's groups; see `add_task`."""
    return change(path, lambda source: addition(source, "task_groups", group), dry_run=dry_run)


def edit_task(path: Path, task_id: str, changes: Changes, *, dry_run: bool = False) -> Edit:
    """Change fields of a task.

    Args:
        path: The task file.
        task_id: The task.
        changes: Merged into the task (RFC 7386): None removes a field, mappings are merged, other values replace.
        dry_run: Return the edit without writing it.

    Raises:
        UnknownName: There is no such task.
        TaskFileError: The result would be invalid; the message has the line. The file is unchanged.
    """
    return change(
        path, lambda source: planned(source, edited=[(place_of(source, "tasks", task_id), changes)]), dry_run=dry_run
    )


def edit_group(path: Path, group_id: str, changes: Changes, *, dry_run: bool = False) -> Edit:
    """Change fields of a group; see `edit_task`."""
    return change(
        path,
        lambda source: planned(source, edited=[(place_of(source, "task_groups", group_id), changes)]),
        dry_run=dry_run,
    )


def set_enabled(path: Path, name: str, enabled: bool, *, dry_run: bool = False) -> Edit:
    """Switch a task or group on or off in the file: its schedule when it has one, else the entry itself."""
    return change(path, lambda source: switch(source, name, enabled=enabled), dry_run=dry_run)


def remove_task(path: Path, task_id: str, *, force: bool = False, dry_run: bool = False) -> Edit:
    """Remove a task, with the comment directly above it.

    Args:
        path: The task file.
        task_id: The task.
        force: Also remove it from the tasks and groups that use it, and groups that have no other task.
        dry_run: Return the edit without writing it.

    Raises:
        UnknownName: There is no such task.
        EditRefused: Others depend on it and `force` is not given; `names` says which.
    """
    return change(path, lambda source: removal(source, task_id, force=force), dry_run=dry_run)


def remove_group(path: Path, group_id: str, *, dry_run: bool = False) -> Edit:
    """Remove a group; its tasks stay."""
    return change(
        path,
        lambda source: planned(source, removed=frozenset({place_of(source, "task_groups", group_id)})),
        dry_run=dry_run,
    )


def change(
    path: Path,
    plan: Callable[[Source], Plan],
    *,
    dry_run: bool = False,
    screen: Screen | None = None,
    allow: Allow | None = None,
) -> Edit:
    """Perform an edit under the file's lock: plan, check, back up, replace.

    Args:
        path: The task file.
        plan: Returns the change.
        dry_run: Return the edit without writing it.
        screen: Called first, with the documents before and after; raises to refuse.
        allow: Called before anything is written, with the versions before and after; raises to refuse.

    Raises:
        TaskFileError: The file cannot be read, or the result would be invalid.
    """
    path = real_path(Path(path))
    with atomic_files.locked(path):
        if not dry_run:
            atomic_files.tidy(path)
        for _ in range(_ATTEMPTS):
            text, source = editable(path)
            after = _changed(source, plan(source))
            if screen:
                screen(document_of(source), document_of(after))
            _check(path, source, after, allow)
            edit = Edit(path, text, after.text)
            if dry_run or after.text == source.text:
                return edit
            if read_text(path) == text:
                raw = path.read_bytes()
                mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
                atomic_files.replace(path.with_name(f"{path.name}.bak"), raw, path.stat().st_mode & 0o777)
                atomic_files.replace(path, mark + after.text.encode())
                return edit
    raise EditRefused(f"{path} is being saved repeatedly by another program; try again.")


def editable(path: Path) -> tuple[str, Source]:
    """Return the text and the parsed file; both sections are lists or missing.

    Raises:
        NotEditable: The file cannot be read, or is not a task file.
    """
    try:
        text = read_text(path)
        source = parse_text(text, str(path))
    except TaskFileError as error:
        raise NotEditable(error.problems, error.source_lines) from None
    if wrong := [fault for fault in document_of(source).unusable if fault.path]:
        raise NotEditable([source.problem(fault) for fault in wrong], source.lines)
    return text, source


def _changed(source: Source, plan: Plan) -> Source:
    """Return the new file: the first alternative that produces exactly the planned data."""
    if (indent := _json_indent(source.text)) is not None:
        return parse_text(json.dumps(plan.data, ensure_ascii=False, indent=indent or None) + "\n", source.file)
    for way in plan.ways:
        try:
            after = parse_text(splice.apply(source.text, way), source.file)
        except TaskFileError:
            continue
        if after.data == plan.data:
            return after
    raise EditRefused(
        f"{source.file} is written in a style (anchors, merges) in which this cannot be changed safely; "
        "edit it by hand."
    )


def _json_indent(text: str) -> int | None:
    """Return the indentation of a JSON text; None when it is not JSON."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        json.loads(text)
    except ValueError:
        return None
    match = re.search(r"\{\s*\n( *)\S", text)
    return len(match[1]) if match else 0


def _check(path: Path, before: Source, after: Source, allow: Allow | None) -> None:
    """Refuse an edit that adds problems to the file, or that is not allowed."""
    new = load_source(after, path)
    if not new.problems and allow is None:
        return
    old = load_source(before, path)
    known = Counter(_without_position(problem) for problem in old.problems)
    added = []
    for problem in new.problems:
        known[_without_position(problem)] -= 1
        if known[_without_position(problem)] < 0:
            added.append(problem)
    if added:
        raise TaskFileError(added, after.lines)
    if allow:
        allow(old, new)


def _without_position(problem: Problem) -> tuple[str | None, str, str]:
    """Return a problem without its line and index, which an edit above it changes."""
    return problem.owner, re.sub(r"^(tasks|task_groups)\[\d+\]", "", problem.path), problem.message
