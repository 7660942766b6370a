"""Reading a task file: all problems in one pass, and one faulty task does not stop the others."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.market.publication import Publication
from mystocks_dagster.plain_files import real_path
from mystocks_dagster.settings import environment as process_environment
from mystocks_dagster.taskfile.entries import Builder, Built
from mystocks_dagster.taskfile.file_settings import read_head
from mystocks_dagster.taskfile.functions import Declared, Function, Functions, declared
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task, TaskFile
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.runnable import runnable_entries
from mystocks_dagster.taskfile.yaml.document import Document, document_of
from mystocks_dagster.taskfile.yaml.source import Source, parse_text, read_text


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a task file: the entries that can run, and the problems of the others.

    Attributes:
        source: The task file.
        hash: Hash of its text.
        taskfile: Without broken tasks, tasks that depend on them, and groups that have no task left.
        problems: All problems of the file, in the order of its lines.
        broken: Id of each task or group that is left out, to its problems.
        shortened: Id of each group that runs without some of its tasks, to the ids of these.
        lines: Id to first and last line, from 1.
        functions: Task id to its function; empty when functions were not resolved.
        writes: Task id to the tables that its function declares to write, for all tasks that can run, in the order
            of the file; complete even when only some tasks were built, since it decides who owns a table.
        also_writes: The same for tables that the task writes without owning them.
        document: The file as written.
        unusable: Why the current file is unusable; this is then its last good version (see `last_good`).
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
        # In reversed order, the first task of a table is set last.
        return {table: task_id for task_id, tables in reversed(list(self.writes.items())) for table in tables}

    @property
    def published(self) -> Mapping[str, Publication]:
        """When tables are published whose owner says so in `available_after`; the others are as they declare."""
        stated = {task.task_id: task.available_after for task in self.taskfile.tasks if task.available_after}
        owned = ((table, stated.get(owner)) for table, owner in self.owners.items())
        return {table: Publication.parse(text) for table, text in owned if text}

    def find(self, name: str) -> Task | Group:
        """Return the task or group with an id.

        Raises:
            UnknownName: There is no such id; the message lists similar names.
            TaskFileError: The entry is broken; the message has its lines.
        """
        known = self.taskfile.by_id()
        if name in known:
            return known[name]
        if name in self.broken:
            raise TaskFileError(self.broken[name], self._source_lines())
        ids = [*known, *self.broken]
        near = get_close_matches(name, ids, 3, 0.5)
        hint = f"There are: {', '.join(ids)}." if ids else "The file has none."
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        raise UnknownName(f"There is no task or group {name!r} in {self.source}. {hint}")

    def _source_lines(self) -> list[str]:
        """Return the lines of the file; empty when it has changed meanwhile."""
        try:
            text = read_text(self.source)
        except TaskFileError:
            return []
        return text.splitlines() if content_hash(text) == self.hash else []


def content_hash(text: str) -> str:
    """Return the hash that identifies a version of a task file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_task_file(path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None) -> TaskFile:
    """Return the task file if it has no problem.

    Args:
        path: The file.
        functions: False imports no modules, and leaves names and params of functions unchecked.
        environment: Where variables are looked up; the process's own when None.

    Raises:
        TaskFileError: The file has problems; the error holds each with its line and remedy.
    """
    source = parse_text(read_text(Path(path)), str(path))
    version = load_source(source, Path(path), functions=functions, environment=environment)
    if version.problems:
        raise TaskFileError(version.problems, source.lines)
    return version.taskfile


def check_task_file(
    path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return all problems of a task file, in the order of its lines."""
    try:
        return list(load_task_file(path, functions=functions, environment=environment).problems)
    except TaskFileError as error:
        return list(error.problems)


def load_task_file(path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None) -> Version:
    """Return the entries that can run and the problems of the others; arguments as in `read_task_file`.

    Raises:
        TaskFileError: The file as a whole is unusable: it is missing or not YAML, or `tasks` is not a list.
    """
    return load_text(read_text(Path(path)), Path(path), functions=functions, environment=environment)


def load_text(
    text: str, path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> Version:
    """Do the same for a text that is, or will be, the content of `path`."""
    return load_source(parse_text(text, str(path)), path, functions=functions, environment=environment)


def load_source(
    source: Source, path: Path, *, functions: bool = True, environment: Mapping[str, str] | None = None
) -> Version:
    """Do the same for a parsed file."""
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
    """Do the same for a task file that is split into its entries.

    Args:
        document: The file.
        path: Its path.
        content: The hash of its text.
        functions: As in `read_task_file`.
        environment: Where variables are looked up.
        only: Ids of the entries to build; all when None.
        writes: As in `Version`; required when only some entries are built.
        also_writes: See `writes`.
    """
    environment = process_environment() if environment is None else environment
    head, problems = read_head(document, path.parent, environment)
    resolver = Functions(head.task_packages, real_path(path).parent) if functions else None
    builder = Builder(document.defaults, environment, resolver)
    raws = [raw for entries in document.entries.values() for raw in entries]
    built = [builder.build(raw) for raw in raws if only is None or raw.label in only]
    runnable = runnable_entries(document, built)
    working = [item for item in built if item.function and item.raw.label not in runnable.broken]
    resolved = {item.raw.label: item.function for item in working if item.function}
    if writes is None or also_writes is None:
        tables = {item.raw.label: _tables(item) for item in working}
        if writes is None:
            writes = {label: table.writes for label, table in tables.items()}
        if also_writes is None:
            also_writes = {label: table.also_writes for label, table in tables.items()}
    return Version(
        source=path,
        hash=content,
        taskfile=head.model_copy(update={"tasks": runnable.tasks, "task_groups": runnable.groups}),
        problems=_in_order([*problems, *runnable.problems]),
        broken=runnable.broken,
        shortened=runnable.shortened,
        lines={raw.label: (raw.first, raw.last) for raw in raws},
        functions=resolved,
        writes=writes,
        also_writes=also_writes,
        document=document,
    )


def _tables(item: Built) -> Declared:
    """Return the tables of a task whose function is resolved."""
    params = item.entry.params if isinstance(item.entry, Task) else None
    return declared(item.function, params) if item.function else Declared()


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return problems by line, without duplicates: many tasks may inherit one from `defaults`."""
    unique: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.line, problem.column, problem.message), problem)
    return tuple(sorted(unique.values(), key=lambda problem: (problem.line, problem.column)))
