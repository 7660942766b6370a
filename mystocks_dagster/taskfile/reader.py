"""Reading a task file: every problem in one pass, and one bad task does not stop the others."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.settings import environment as process_environment
from mystocks_dagster.taskfile.entries import Builder
from mystocks_dagster.taskfile.file_settings import read_head
from mystocks_dagster.taskfile.functions import Function, Functions, declared
from mystocks_dagster.taskfile.model import Group, Task, TaskFile
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.runnable import runnable_entries
from mystocks_dagster.taskfile.yaml.document import Document, document_of
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a task file, read: what of it can run, and what cannot.

    Attributes:
        source: The task file.
        hash: Of its text.
        taskfile: Without the broken tasks, those that depend on them, and the groups that have none left.
        problems: Everything wrong with the file, in the order of its lines.
        broken: Id of each task or group that was left out to the reasons.
        shortened: Id of each group that runs without some of its tasks to the ids of those.
        lines: Id to first and last line, from 1.
        functions: Task id to its function; empty when functions were not resolved.
        writes: Task id to the tables that its function declares to write, for all tasks that can run, in the order
            of the file: says which task owns a table also when only some tasks were built.
        also_writes: The same for the tables that it writes beside their owner.
        document: The file as it is written.
        unusable: Why nothing of the file as it is now can be used; this is then its last good version (see `usable`).
    """

    source: Path
    hash: str
    taskfile: TaskFile
    problems: tuple[Problem, ...]
    broken: Mapping[str, tuple[Problem, ...]]
    shortened: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, tuple[int, int]]
    functions: Mapping[str, Function]
    writes: Mapping[str, tuple[str, ...]]
    also_writes: Mapping[str, tuple[str, ...]]
    document: Document = field(repr=False)
    unusable: TaskFileError | None = field(default=None, repr=False)

    @cached_property
    def owners(self) -> Mapping[str, str]:
        """Table to the id of the task that owns it: the first in the file that declares it."""
        # Each table is set last by the first task.
        return {table: task_id for task_id, tables in reversed(list(self.writes.items())) for table in tables}

    def find(self, name: str) -> Task | Group:
        """Return the task or group of that id.

        Raises:
            UnknownName: There is none; the message lists near names.
            TaskFileError: It is broken in the file; the message has the lines.
        """
        known = self.taskfile.by_id()
        if name in known:
            return known[name]
        if name in self.broken:
            raise TaskFileError(self.broken[name], self._source_lines())
        near = get_close_matches(name, known, 3, 0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."
        raise UnknownName(f"There is no task or group {name!r} in {self.source}. {hint}")

    def _source_lines(self) -> list[str]:
        """Return the lines of the file; none when it is another version by now."""
        try:
            text = read_text(self.source)
        except TaskFileError:
            return []
        return text.splitlines() if content_hash(text) == self.hash else []


def content_hash(text: str) -> str:
    """Return the hash that a version of a task file is known by."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_task_file(path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None) -> TaskFile:
    """Return the task file, all of it.

    Args:
        path: The file.
        functions: False leaves modules unimported, and names and params of functions unchecked.
        environment: Where variables are looked up; the process's own when None.

    Raises:
        TaskFileError: Something is wrong with it; holds every problem with its line and remedy.
    """
    source = parse_text(read_text(Path(path)), str(path))
    version = load_source(source, Path(path), functions=functions, environment=environment)
    if version.problems:
        raise TaskFileError(version.problems, source.lines)
    return version.taskfile


def check_task_file(
    path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return everything wrong with a task file, in the order of its lines."""
    try:
        return list(load_task_file(path, functions=functions, environment=environment).problems)
    except TaskFileError as error:
        return list(error.problems)


def load_task_file(path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None) -> Version:
    """Return what of the task file can run, and the problems of what cannot; arguments as in `read_task_file`.

    Raises:
        TaskFileError: The file as a whole cannot be used: missing, no YAML, `tasks` is no list.
    """
    return load_text(read_text(Path(path)), Path(path), functions=functions, environment=environment)


def load_text(
    text: str, path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> Version:
    """Return the same of a text that is, or is to be, the content of `path`."""
    return load_source(parse_text(text, str(path)), path, functions=functions, environment=environment)


def load_source(
    source: Source, path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> Version:
    """Return the same of a parsed file."""
    document = document_of(source)
    version = load_document(document, path, content_hash(source.text), functions=functions, environment=environment)
    if document.unusable:
        raise TaskFileError(version.problems, source.lines)
    return version


def load_document(
    document: Document,
    path: Path,
    content: str,
    *,
    functions: bool = True,
    environment: Mapping[str, str] | None = None,
    only: frozenset[str] | None = None,
    writes: Mapping[str, tuple[str, ...]] | None = None,
    also_writes: Mapping[str, tuple[str, ...]] | None = None,
) -> Version:
    """Return the same of a task file that is taken apart already.

    Args:
        document: The file.
        path: Where it comes from.
        content: The hash of its text.
        functions: As in `read_task_file`, and so is `environment`.
        environment: Where variables are looked up.
        only: Ids of the entries to build; all when None.
        writes: Known already, as it must be when only some entries are built, and so is `also_writes`.
        also_writes: See `writes`.
    """
    environment = process_environment() if environment is None else environment
    head, problems = read_head(document, path.parent, environment)
    builder = Builder(
        document.defaults, environment, Functions(head.task_packages, path.resolve().parent) if functions else None
    )
    built = [
        builder.build(raw)
        for entries in document.entries.values()
        for raw in entries
        if only is None or raw.label in only
    ]
    sifted = runnable_entries(document, built)
    resolved = {one.raw.label: one.function for one in built if one.function and one.raw.label not in sifted.broken}
    return Version(
        source=path,
        hash=content,
        taskfile=head.model_copy(update={"tasks": sifted.tasks, "task_groups": sifted.groups}),
        problems=_in_order([*problems, *sifted.problems]),
        broken=sifted.broken,
        shortened=sifted.shortened,
        lines={raw.label: (raw.first, raw.last) for entries in document.entries.values() for raw in entries},
        functions=resolved,
        writes={label: declared(function).writes for label, function in resolved.items()} if writes is None else writes,
        also_writes={label: declared(function).also_writes for label, function in resolved.items()}
        if also_writes is None
        else also_writes,
        document=document,
    )


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return problems by line; one that many tasks inherit from `defaults` is told once."""
    found: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        found.setdefault((problem.line, problem.column, problem.message), problem)
    return tuple(sorted(found.values(), key=lambda problem: (problem.line, problem.column)))
