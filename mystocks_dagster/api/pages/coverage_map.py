"""Heat maps of a table's trading days: one row per table, or one row per month of one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Size of a cell in the drawing's units, with the gap to the next.
CELL, STEP = 11, 13
#: Width of the labels at the left.
LABEL = 190
_MONTH_LABEL = 62


@dataclass(frozen=True)
class Cell:
    """One trading day of one table."""

    table: str
    day: str
    state: str
    x: int


@dataclass(frozen=True)
class Row:
    """A row of cells with its label."""

    label: str
    cells: Sequence[Cell]
    y: int


@dataclass(frozen=True)
class CoverageMap:
    """The rows of a map and the size of its drawing."""

    rows: Sequence[Row]
    width: int
    height: int
    label: int


def coverage_map(report: Mapping[str, Any], days: int) -> CoverageMap:
    """Return a row for each table with its last trading days.

    Args:
        report: The JSON of `project.data_coverage.CoverageReport`.
        days: Number of trading days.
    """
    shown = report["days"][-days:]
    rows = []
    for y, (table, letters) in enumerate(report["tables"].items()):
        states = [report["letters"][letter] for letter in letters[-days:]]
        cells = [
            Cell(table, day, state, LABEL + x * STEP)
            for x, (day, state) in enumerate(zip(shown, states, strict=True))
            if state != "not_expected"
        ]
        rows.append(Row(table, cells, y * STEP))
    return CoverageMap(rows, LABEL + len(shown) * STEP, len(rows) * STEP, LABEL)


def month_map(report: Mapping[str, Any], table: str) -> CoverageMap:
    """Return a row for each month of a table, the newest first; a day stands at its number in the month."""
    letters = report["tables"].get(table, "")
    months: dict[str, list[Cell]] = {}
    for day, letter in zip(report["days"], letters, strict=False):
        if letter != ".":
            cell = Cell(table, day, report["letters"][letter], _MONTH_LABEL + (int(day[8:]) - 1) * STEP)
            months.setdefault(day[:7], []).append(cell)
    rows = [Row(month, cells, y * STEP) for y, (month, cells) in enumerate(sorted(months.items(), reverse=True))]
    return CoverageMap(rows, _MONTH_LABEL + 31 * STEP, len(rows) * STEP, _MONTH_LABEL)
