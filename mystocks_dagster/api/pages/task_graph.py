"""A group's tasks as a graph from left to right, each after those that it waits for."""

import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

#: Sizes in pixels.
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 184, 46, 44, 14, 2
#: Columns of text in a node, where a Chinese character takes two.
_COLUMNS = 22


@dataclass(frozen=True, kw_only=True)
class Node:
    """A task in the graph; `label` is its name, cut to the node's width."""

    id: str
    label: str
    name: str
    status: str | None
    x: int
    y: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes, the paths of the arrows between them, and the size of the picture."""

    nodes: Sequence[Node]
    arrows: Sequence[str]
    width: int
    height: int
    node_width: int = _WIDTH
    node_height: int = _HEIGHT


def graph_of(edges: Mapping[str, Sequence[str]], names: Mapping[str, str], states: Mapping[str, str]) -> Graph:
    """Lay out a graph.

    Args:
        edges: Each task with those that it waits for; a task comes after all of these.
        names: The names of the tasks.
        states: The states of those that have run.
    """
    layers: dict[str, int] = {}
    rows: dict[int, int] = {}
    nodes: dict[str, Node] = {}
    for task_id, upstream in edges.items():
        layer = layers[task_id] = max((layers[name] + 1 for name in upstream), default=0)
        row = rows.get(layer, 0)
        rows[layer] = row + 1
        nodes[task_id] = Node(
            id=task_id,
            label=cut_to(names[task_id], _COLUMNS),
            name=names[task_id],
            status=states.get(task_id),
            x=_MARGIN + layer * (_WIDTH + _GAP_X),
            y=_MARGIN + row * (_HEIGHT + _GAP_Y),
        )
    return Graph(
        nodes=list(nodes.values()),
        arrows=[_arrow(nodes[before], nodes[after]) for after in edges for before in edges[after]],
        width=2 * _MARGIN + len(rows) * (_WIDTH + _GAP_X) - _GAP_X,
        height=2 * _MARGIN + max(rows.values(), default=0) * (_HEIGHT + _GAP_Y) - _GAP_Y,
    )


def _arrow(before: Node, after: Node) -> str:
    """Return the SVG path from the right side of a node to the left side of another."""
    x, y, to_x, to_y = before.x + _WIDTH, before.y + _HEIGHT // 2, after.x, after.y + _HEIGHT // 2
    middle = to_x - _GAP_X // 2
    return f"M{x} {y} C{middle} {y} {middle} {to_y} {to_x} {to_y}"


def cut_to(text: str, columns: int) -> str:
    """Return a text of at most so many columns, with … for what was cut off.

    Examples:
        >>> cut_to("同步全市场日线行情", 10)
        '同步全市…'
        >>> cut_to("load", 10)
        'load'
    """
    ends = list(accumulate(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text))
    if not ends or ends[-1] <= columns:
        return text
    return f"{text[: bisect_right(ends, columns - 1)]}…"
