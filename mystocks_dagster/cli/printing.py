"""How the commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

#: Colour of a status, in tables and lines.
COLOURS = {
    "success": "green",
    "partial_success": "yellow",
    "skipped": "cyan",
    "failed": "red",
    "cancelled": "magenta",
    "running": "blue",
    "pending": "white",
    "paused": "white",
}

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print `value` as JSON, Chinese as it is."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print rows under headings; numbers stand to the right."""
    rows = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        right = bool(rows) and all(
            row[index].replace(",", "").replace(".", "").replace("-", "").isdigit() or not row[index] for row in rows
        )
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def coloured(status: str) -> str:
    """Return the status in its colour."""
    return f"[{COLOURS.get(status, 'white')}]{status}[/]"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return str(value)
