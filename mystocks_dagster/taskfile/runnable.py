"""Which tasks and groups of a file can run when some are broken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.taskfile.entries import Built
from mystocks_dagster.taskfile.model import Group, Task
from mystocks_dagster.taskfile.problems import Fault, Problem
from mystocks_dagster.taskfile.relations import relation_faults
from mystocks_dagster.taskfile.yaml.document import SECTIONS, Document, Raw, has

Broken = dict[str, tuple[Problem, ...]]


@dataclass(frozen=True)
class RunnableEntries:
    """What of the entries can run, and why the others cannot; fields as in `Version`."""

    tasks: tuple[Task, ...]
    groups: tuple[Group, ...]
    problems: tuple[Problem, ...]
    broken: Mapping[str, tuple[Problem, ...]]
    shortened: Mapping[str, tuple[str, ...]]


def runnable_entries(document: Document, built: Sequence[Built]) -> RunnableEntries:
    """Find what is wrong within and between entries, and what that leaves."""
    found = list(_found(document, built))
    broken: Broken = {}
    for labels, problem in found:
        for label in dict.fromkeys(labels):
            broken[label] = (*broken.get(label, ()), problem)
    _spread(document, built, broken)
    groups, shortened = _remaining_groups(document, built, broken)
    tasks = tuple(one.entry for one in built if isinstance(one.entry, Task) and one.raw.label not in broken)
    return RunnableEntries(tasks, groups, tuple(problem for _, problem in found), broken, shortened)


def _found(document: Document, built: Sequence[Built]) -> Iterator[tuple[list[str], Problem]]:
    """Yield each problem with the labels of the entries that it puts out of use."""
    by_key = {one.raw.key: one for one in built}
    for fault in document.faults:
        if raw := by_key[fault.path[:2]].raw if fault.path[:2] in by_key else None:
            yield [raw.label], document.problem(fault, raw.label)
    for one in built:
        for fault in one.faults:
            yield [one.raw.label], _problem(document, one.raw, fault)
    tasks, groups = ([one.refs for one in built if one.refs and one.raw.section == section] for section in SECTIONS)
    for entries, fault in relation_faults(tasks, groups):
        yield [entry.id for entry in entries], _problem(document, by_key[entries[0].key].raw, fault)


def _spread(document: Document, built: Sequence[Built], broken: Broken) -> None:
    """Add the tasks that depend on broken ones, directly or through others."""
    dependents: dict[str, list[tuple[Built, int]]] = {}
    for one in built:
        if one.refs and one.raw.section == "tasks":
            for index, name in one.refs.refers:
                dependents.setdefault(name, []).append((one, index))
    waiting = list(broken)
    while waiting:
        name = waiting.pop()
        for one, index in dependents.get(name, ()):
            if one.raw.label not in broken:
                fault = Fault(("dependencies", index), f"needs {name!r}, which is broken", "Correct that one first.")
                broken[one.raw.label] = (_problem(document, one.raw, fault),)
                waiting.append(one.raw.label)


def _remaining_groups(
    document: Document, built: Sequence[Built], broken: Broken
) -> tuple[tuple[Group, ...], dict[str, tuple[str, ...]]]:
    """Return the groups that still have tasks, without those that cannot run, and which ones those are.

    A broken task counts as one that failed: in a sequential group it keeps the later ones from running when it
    stops on error.
    """
    stops = {one.raw.label: _stops_on_error(document, one.raw) for one in built}
    groups = []
    shortened: dict[str, tuple[str, ...]] = {}
    for one in built:
        group = one.entry
        if not isinstance(group, Group) or group.group_id in broken:
            continue
        kept = list(group.tasks)
        if group.execution_mode == "sequential":
            barrier = next((index for index, name in enumerate(kept) if name in broken and stops[name]), len(kept))
            kept = kept[:barrier]
        kept = [name for name in kept if name not in broken]
        missing = tuple(name for name in group.tasks if name not in kept)
        if missing and not kept:
            first = next(name for name in group.tasks if name in broken)
            fault = Fault(
                ("tasks", group.tasks.index(first)), f"needs {first!r}, which is broken", "Correct that one first."
            )
            broken[group.group_id] = (_problem(document, one.raw, fault),)
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
    """Return the fault with its place: in the entry, or in the file's defaults when the value comes from there."""
    inherited = (
        fault.path and not has(raw.data, fault.path) and raw.section == "tasks" and has(document.defaults, fault.path)
    )
    prefix = ("defaults",) if inherited else raw.key
    return document.problem(fault._replace(path=(*prefix, *fault.path)), raw.label)
