"""A heat map of rectangles: area by weight, colour by change; red is up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import squarify

#: Width and height of the drawing, in its own units; that for phones is higher than wide, so that it can be read.
WIDE, NARROW = (1000.0, 420.0), (366.0, 400.0)
#: A change of so many percent has the strongest colour.
_STRONGEST = 4.0
_STEPS = 5


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A rectangle of the map.

    Attributes:
        row: The row that it stands for.
        colour: Its class: `up1` to `up5`, `down1` to `down5` or `even`.
        size: Size of its text in the drawing's units; 0 if there is no room for text.
    """

    row: dict[str, Any]
    x: float
    y: float
    width: float
    height: float
    colour: str
    size: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The map for one kind of screen."""

    name: str
    width: float
    height: float
    tiles: Sequence[Tile]


def drawings(rows: Sequence[dict[str, Any]]) -> list[Drawing]:
    """Return the map for wide and for narrow screens; none if there is nothing to show."""
    shapes = {"wide": WIDE, "narrow": NARROW} if any(row["weight"] > 0 for row in rows) else {}
    return [
        Drawing(name=name, width=width, height=height, tiles=tiles(rows, width, height))
        for name, (width, height) in shapes.items()
    ]


def tiles(rows: Sequence[dict[str, Any]], width: float, height: float) -> list[Tile]:
    """Return the tiles of rows with `name`, `change_pct` and a positive `weight`, the largest first."""
    ordered = sorted((row for row in rows if row["weight"] > 0), key=lambda row: (-row["weight"], -row["change_pct"]))
    sizes = squarify.normalize_sizes([row["weight"] for row in ordered], width, height)
    places = squarify.squarify(sizes, 0, 0, width, height)
    return [_tile(row, place) for row, place in zip(ordered, places, strict=True)]


def _tile(row: dict[str, Any], place: dict[str, float]) -> Tile:
    letters = max(len(row["name"]), 4)
    size = min(22.0, place["dx"] / letters * 0.9, place["dy"] * 0.3)
    return Tile(
        row=row,
        x=place["x"],
        y=place["y"],
        width=place["dx"],
        height=place["dy"],
        colour=colour(row["change_pct"]),
        size=round(size, 1) if size >= 9 else 0,
    )


def colour(change: float) -> str:
    """Return the class of a change in percent.

    Examples:
        >>> colour(0.3), colour(-9.9), colour(0.0)
        ('up1', 'down5', 'even')
    """
    if round(change, 2) == 0:
        return "even"
    step = min(_STEPS, int(abs(change) / _STRONGEST * _STEPS) + 1)
    return f"{'up' if change > 0 else 'down'}{step}"
