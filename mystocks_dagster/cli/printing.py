"""How the commands print: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

__all__ = ["coloured", "console", "errors", "escape", "print_checks", "print_json", "print_table"]

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

#: What they print as markup takes data in only through `escape`.
console = Console(highlight=False, soft_wrap=True, emoji=False)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def print_json(value: Any) -> None:
    """Print `value` as JSON, Chinese as it is."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print rows under headings; numbers stand to the right. Text is printed as it is; a `Text` brings its colour."""
    cells = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title and escape(title), title_justify="left", header_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        texts = [row[index].plain for row in cells]
        right = bool(texts) and all(text.replace(",", "").replace(".", "").replace("-", "").isdigit() or not text for text in texts)
        table.add_column(Text(column), justify="right" if right else "left", no_wrap=True)
    for row in cells:
        table.add_row(*row)
    Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200).print(table)


def coloured(status: str) -> Text:
    """Return the status in its colour."""
    return Text(status, COLOURS.get(status, "white"))


def print_checks(checks: Iterable[Any]) -> None:
    """Print checks, each with what was found and, where something is wrong, what to do."""
    for check in checks:
        mark = "[red]wrong[/]" if not check.ok else "[yellow]soon[/] " if check.warning else "[green]ok[/]   "
        console.print(f"{mark}  {check.name:<16} {escape(check.detail)}")
        if check.remedy:
            console.print(f"       {'':<16} [yellow]→ {escape(check.remedy)}[/]")


def _cell(value: Any) -> Text:
    match value:
        case Text():
            return value
        case None:
            return Text()
        case bool():
            return Text("yes" if value else "no")
        case int():
            return Text(f"{value:,}")
        case float():
            return Text(f"{value:,.2f}")
    return Text(str(value))
