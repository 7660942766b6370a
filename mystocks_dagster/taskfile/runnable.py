"""The tasks and groups of a file that can run when others are broken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.taskfile.entries import Built
from mystocks_dagster.taskfile.group import Group
from mystocks_dagster.taskfile.model import Task
from mystocks_dagster.taskfile.problems import Fault, Problem
from mystocks_dagster.taskfile.relations import relation_faults
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Document, Raw, has

Broken = dict[str, tuple[Problem, ...]]


@dataclass(frozen=True)
class RunnableEntries:
    """The entries that can run, and the problems of the others; fields as in `Version`."""

    tasks: tuple[Task, ...]
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    broken: Mapping[str, tuple[Problem, ...]]
    shortened: Mapping[str, tuple[str, ...]]


def runnable_entries(document: Document, built: Sequence[Built]) -> RunnableEntries:
    """Return the entries that can run, and all problems within and between entries."""
    problems = list(_problems(document, built))
    broken: Broken = {}
    for labels, problem in problems:
        for label in dict.fromkeys(labels):
            broken[label] = (*broken.get(label, ()), problem)
    _spread(document, built, broken)
    groups, shortened = _remaining_groups(document, built, broken)
    tasks = tuple(item.entry for item in built if isinstance(item.entry, Task) and item.raw.label not in broken)
    return RunnableEntries(tasks, groups, tuple(problem for _, problem in problems), broken, shortened)


def _problems(document: Document, built: Sequence[Built]) -> Iterator[tuple[list[str], Problem]]:
    """Yield each problem with the labels of the entries that it breaks."""
    by_key = {item.raw.key: item for item in built}
    for fault in document.faults:
        if raw := by_key[fault.path[:2]].raw if fault.path[:2] in by_key else None:
            yield [raw.label], document.problem(fault, raw.label)
    for item in built:
        for fault in item.faults:
            yield [item.raw.label], _problem(document, item.raw, fault)
    tasks, groups = ([item.refs for item in built if item.refs and item.raw.section == section] for section in SECTIONS)
    for entries, fault in relation_faults(tasks, groups):
        yield [entry.id for entry in entries], _problem(document, by_key[entries[0].key].raw, fault)


def _spread(document: Document, built: Sequence[Built], broken: Broken) -> None:
    """Add the tasks that depend on broken ones, directly or indirectly."""
    dependents: dict[str, list[tuple[Built, int]]] = {}
    for item in built:
        if item.refs and item.raw.section == "tasks":
            for index, name in item.refs.refers:
                dependents.setdefault(name, []).append((item, index))
    waiting = list(broken)
    while waiting:
        name = waiting.pop()
        for item, index in dependents.get(name, ()):
            if item.raw.label not in broken:
                fault = Fault(("dependencies", index), f"needs {name!r}, which is broken", "Correct that one first.")
                broken[item.raw.label] = (_problem(document, item.raw, fault),)
                waiting.append(item.raw.label)


def _remaining_groups(
    document: Document, built: Sequence[Built], broken: Broken
) -> tuple[tuple[Group, ...], dict[str, tuple[str, ...]]]:
    """Return the groups without tasks that cannot run, and the ids of these tasks by group.

    A broken task counts as failed: in a sequential group, later tasks do not run if it stops on error.
    """
    stops = {item.raw.label: _stops_on_error(document, item.raw) for item in built}
    groups = []
    shortened: dict[str, tuple[str, ...]] = {}
    for item in built:
        group = item.entry
        if not isinstance(group, Group) or group.group_id in broken:
            continue
        kept = list(group.tasks)
        if group.execution_mode == "sequential":
            stopped_at = next((index for index, name in enumerate(kept) if name in broken and stops[name]), len(kept))
            kept = kept[:stopped_at]
        kept = [name for name in kept if name not in broken]
        missing = tuple(name for name in group.tasks if name not in kept)
        if missing and not kept:
            first = next(name for name in group.tasks if name in broken)
            path = ("tasks", group.tasks.index(first))
            fault = Fault(path, f"needs {first!r}, which is broken", "Correct that one first.")
            broken[group.group_id] = (_problem(document, item.raw, fault),)
            continue
        if missing:
            shortened[group.group_id] = missing
            group = group.model_copy(update={"tasks": tuple(kept)})
        groups.append(group)
    return tuple(groups), shortened


def _stops_on_error(document: Document, raw: Raw) -> bool:
    own = raw.data if isinstance(raw.data, dict) else {}
    return own.get("stop_on_error", document.defaults.get("stop_on_error", True)) is not False


def _problem(document: Document, raw: Raw, fault: Fault) -> Problem:
    """Locate a fault: in the entry, or in the file's defaults when the value comes from there."""
    missing = raw.section == "tasks" and fault.path and not has(raw.data, fault.path)
    inherited = missing and has(document.defaults, fault.path)
    prefix = ("defaults",) if inherited else raw.key
    return document.problem(fault._replace(path=(*prefix, *fault.path)), raw.label)
