"""What tasks and groups say of each other: ids used twice, unknown names, circles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mystocks_dagster.taskfile.names import dagster_name
from mystocks_dagster.taskfile.problems import Fault, Path, suggest

#: Comparing names costs some milliseconds among 1,000: a file in which everything is misspelt must stay quick too.
_MOST_SUGGESTIONS = 60
#: Circles that one pass reports, for the same reason.
_MOST_CIRCLES = 20


@dataclass(frozen=True)
class EntryRefs:
    """An id and the ids that it refers to, with their places.

    Attributes:
        key: Where it stands in the file: ("tasks", 3).
        line: Its first line.
        id: The task's or group's id.
        field: `dependencies` of a task, `tasks` of a group.
        refers: The ids that it names, with their index in the field.
        endless: It is a supervisor: its run never ends, so nothing can wait for it.
    """

    key: Path
    line: int
    id: str
    field: str
    refers: tuple[tuple[int, str], ...]
    endless: bool = False


#: The entries that a fault puts out of use, the one that it belongs to first.
Blamed = tuple[EntryRefs, ...]


def relation_faults(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Blamed, Fault]]:
    """Yield what is wrong between entries, with paths within the first of the blamed ones."""
    yield from _used_twice(sorted([*tasks, *groups], key=lambda entry: entry.line))
    yield from _unknown(tasks, groups)
    yield from _endless(tasks, groups)
    yield from _circles(tasks)


def _used_twice(entries: Sequence[EntryRefs]) -> Iterator[tuple[Blamed, Fault]]:
    first_of: dict[str, EntryRefs] = {}
    for entry in entries:
        first = first_of.setdefault(dagster_name(entry.id), entry)
        if first is entry:
            continue
        path = ("task_id",) if entry.key[0] == "tasks" else ("group_id",)
        if first.id == entry.id:
            found = Fault(
                path,
                f"the id {entry.id!r} is used twice",
                f"It is already used in line {first.line}; rename one of them.",
            )
        else:
            hint = "They would have one name in Dagster; rename one of them."
            found = Fault(path, f"{entry.id!r} and {first.id!r} (line {first.line}) differ only in - and _", hint)
        yield (entry, first), found


def _unknown(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Blamed, Fault]]:
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
            hint = suggest(name, known, allowed="The tasks are") if suggestions <= _MOST_SUGGESTIONS else ""
            yield (entry,), Fault(path, f"there is no task {name!r}", hint)


def _endless(tasks: Sequence[EntryRefs], groups: Sequence[EntryRefs]) -> Iterator[tuple[Blamed, Fault]]:
    """Yield each mention of a supervisor in a group or as a dependency: such a run would never end."""
    supervisors = {task.id for task in tasks if task.endless}
    for entry in (*tasks, *groups):
        for index, name in entry.refers:
            if name in supervisors and name != entry.id:
                hint = "Leave it out: it is kept alive by itself while it is enabled."
                yield (
                    (entry,),
                    Fault((entry.field, index), f"{name!r} is a supervisor: a run that waits for it never ends", hint),
                )


def _circles(tasks: Sequence[EntryRefs]) -> Iterator[tuple[Blamed, Fault]]:
    """Yield circles of dependencies until every task that is in one has been named."""
    entries: dict[str, EntryRefs] = {}
    for task in tasks:
        entries.setdefault(task.id, task)
    graph = {task.id: [name for _, name in task.refers if name in entries] for task in entries.values()}
    knotted = {name: knot for knot in _knots(graph) for name in knot}
    told: set[str] = set()
    count = 0
    for name in graph:
        if name not in knotted or name in told or count == _MOST_CIRCLES:
            continue
        count += 1
        circle = _shortest_circle(name, graph, knotted[name])
        told.update(circle)
        shown = circle if len(circle) <= 20 else [*circle[:10], "...", *circle[-9:]]
        index = next(index for index, upstream in entries[name].refers if upstream == circle[1])
        blamed = tuple(entries[one] for one in dict.fromkeys(circle))
        yield (
            blamed,
            Fault(
                ("dependencies", index), f"the dependencies form a cycle: {' -> '.join(shown)}", "Remove one of them."
            ),
        )


def _knots(graph: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Yield the sets of tasks that all depend on each other (Tarjan's algorithm, without recursion)."""
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
                    knot = _pop_until(waiting, name)
                    if len(knot) > 1 or name in graph[name]:
                        yield knot


def _pop_until(waiting: dict[str, None], name: str) -> set[str]:
    knot = set()
    while name not in knot:
        knot.add(waiting.popitem()[0])
    return knot


def _shortest_circle(start: str, graph: Mapping[str, Sequence[str]], knot: set[str]) -> list[str]:
    """Return the shortest way from a task of a knot back to itself, both ends included."""
    came_from: dict[str, str] = {}
    frontier = [start]
    while True:
        following = []
        for name in frontier:
            for upstream in graph[name]:
                if upstream == start:
                    way = [name]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return [*reversed(way), start]
                if upstream in knot and upstream not in came_from:
                    came_from[upstream] = name
                    following.append(upstream)
        frontier = following
