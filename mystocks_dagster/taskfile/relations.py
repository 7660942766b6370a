"""Faults between tasks and groups: duplicate ids, unknown names, cycles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.taskfile.names import dagster_name
from mystocks_dagster.taskfile.problems import Fault, Path

#: Comparing a name with 1,000 others takes some milliseconds: a file full of unknown names must be checked quickly too.
_MAX_SUGGESTIONS = 60
#: Cycles that one pass reports, for the same reason.
_MAX_CYCLES = 20


@dataclass(frozen=True)
class EntryRefs:
    """An id and the ids that it refers to, with their places.

    Attributes:
        key: Its place in the file: ("tasks", 3).
        line: Its first line.
        id: The id of the task or group.
        field: `dependencies` of a task, `tasks` of a group.
        refers: The ids that it refers to, with their index in the field.
        endless: Whether it is a supervisor: its run never ends, so nothing can wait for it.
    """

    key: Path
    line: int
    id: str
    field: str
    refers: tuple[tuple[int, str], ...]
    endless: bool = False


#: The entries that a fault makes unusable; the first is the one to which it belongs.
Broken = tuple[EntryRefs, ...]


def relation_faults(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Broken, Fault]]:
    """Yield the faults between entries, with paths within the first of the broken ones."""
    yield from _duplicates(sorted([*tasks, *groups], key=lambda entry: entry.line))
    yield from _unknown(tasks, groups)
    yield from _endless(tasks, groups)
    yield from _cycles(tasks)


def _duplicates(entries: Sequence[EntryRefs]) -> Iterator[tuple[Broken, Fault]]:
    first_of: dict[str, EntryRefs] = {}
    for entry in entries:
        first = first_of.setdefault(dagster_name(entry.id), entry)
        if first is entry:
            continue
        path = ("task_id",) if entry.key[0] == "tasks" else ("group_id",)
        if first.id == entry.id:
            message = f"the id {entry.id!r} is used twice"
            hint = f"It is already used in line {first.line}; rename one of them."
        else:
            message = f"{entry.id!r} and {first.id!r} (line {first.line}) differ only in - and _"
            hint = "They would have the same name in Dagster; rename one of them."
        yield (entry, first), Fault(path, message, hint)


def _unknown(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Broken, Fault]]:
    known = {task.id: None for task in tasks}
    group_ids = {group.id for group in groups}
    suggestions = 0
    for entry in (*tasks, *groups):
        for index, name in entry.refers:
            if name in known:
                continue
            path = (entry.field, index)
            if name in group_ids:
                yield (entry,), Fault(path, f"{name!r} is a group, not a task", "Name the tasks themselves.")
                continue
            suggestions += 1
            hint = suggest(name, known, allowed="The tasks are") if suggestions <= _MAX_SUGGESTIONS else ""
            yield (entry,), Fault(path, f"there is no task {name!r}", hint)


def _endless(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Broken, Fault]]:
    """Yield each supervisor in a group or among dependencies: such a run would never end."""
    supervisors = {task.id for task in tasks if task.endless}
    for entry in (*tasks, *groups):
        for index, name in entry.refers:
            if name in supervisors and name != entry.id:
                hint = "Leave it out: it is kept alive by itself while it is enabled."
                message = f"{name!r} is a supervisor: a run that waits for it never ends"
                yield (entry,), Fault((entry.field, index), message, hint)


def _cycles(tasks: Sequence[EntryRefs]) -> Iterator[tuple[Broken, Fault]]:
    """Yield cycles of dependencies until every task that is in one has been reported."""
    entries: dict[str, EntryRefs] = {}
    for task in tasks:
        entries.setdefault(task.id, task)
    graph = {task.id: [name for _, name in task.refers if name in entries] for task in entries.values()}
    component_of = {name: component for component in _components(graph) for name in component}
    reported: set[str] = set()
    count = 0
    for name in graph:
        if name not in component_of or name in reported or count == _MAX_CYCLES:
            continue
        count += 1
        cycle = _shortest_cycle(name, graph, component_of[name])
        reported.update(cycle)
        names = cycle if len(cycle) <= 20 else [*cycle[:10], "…", *cycle[-9:]]
        index = next(index for index, upstream in entries[name].refers if upstream == cycle[1])
        message = f"the dependencies form a cycle: {' -> '.join(names)}"
        broken = tuple(entries[task_id] for task_id in dict.fromkeys(cycle))
        yield broken, Fault(("dependencies", index), message, "Remove one of them.")


def _components(graph: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected components that contain a cycle (Tarjan's algorithm, without recursion)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: dict[str, None] = {}
    for root in graph:
        work = [(root, iter((root,)))] if root not in order else []
        while work:
            name, upstream = work[-1]
            following = next(upstream, None)
            if following is not None and following not in order:
                order[following] = low[following] = len(order)
                waiting[following] = None
                work.append((following, iter(graph[following])))
            elif following is not None:
                if following in waiting:
                    low[name] = min(low[name], order[following])
            else:
                work.pop()
                if not work:
                    break
                low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name] and name in waiting:
                    component = _pop_until(waiting, name)
                    if len(component) > 1 or name in graph[name]:
                        yield component


def _pop_until(waiting: dict[str, None], name: str) -> set[str]:
    component = set()
    while name not in component:
        component.add(waiting.popitem()[0])
    return component


def _shortest_cycle(start: str, graph: Mapping[str, Sequence[str]], component: set[str]) -> list[str]:
    """Return the shortest path from a task of a component back to itself, both ends included."""
    came_from: dict[str, str] = {}
    frontier = [start]
    while True:
        following = []
        for name in frontier:
            for upstream in graph[name]:
                if upstream == start:
                    path = [name]
                    while path[-1] != start:
                        path.append(came_from[path[-1]])
                    return [*reversed(path), start]
                if upstream in component and upstream not in came_from:
                    came_from[upstream] = name
                    following.append(upstream)
        frontier = following
