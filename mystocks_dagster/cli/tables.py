"""Tables for the commands, as wide as the terminal."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mystocks_dagster.cli.printing import Output, harmless, translate

#: Least width of a text column, in characters, and most lines of a cell.
_NARROWEST, _MOST_LINES = 12, 3
#: What is not broken at the end of a line: a moment, or a word; Chinese text may be.
_WORD = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+(?: [+-][0-9]{4})?|[!-~]+")
_NUMBER = re.compile(r"-?[0-9][0-9,]*(\.[0-9]+)?(e[+-]?[0-9]+)?|nan|-?inf")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    title: str | None = None,
    *,
    optional: Sequence[str] = (),
    said: Sequence[str] = (),
    data: bool = False,
) -> None:
    """Print rows under headings. Numbers are aligned right; text is printed as it is; a `Text` keeps its colour.

    Headings, statuses (`Text`) and the cells of the columns `said`, such as remarks, are in the language of the
    terminal; the columns of `data` keep their names.

    On a narrow terminal `optional` columns are left out, the first named first, until the rest fits, and a line names
    them. Text is wrapped between words, the last column first, and cut with … after three lines; statuses (`Text`) and
    numbers are never wrapped. If that is still too wide, each row becomes a block of lines. In a pipe each row is one
    whole line, unless the variable COLUMNS says how wide a line may be.
    """
    spoken = [column in said for column in columns]
    cells = [[_cell(value, spoken=says) for value, says in zip(row, spoken, strict=True)] for row in rows]
    if not data:
        columns, optional = [translate(column) for column in columns], [translate(column) for column in optional]
    natural = [max([cell_len(column), *(row[index].cell_len for row in cells)]) for index, column in enumerate(columns)]
    known = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    width = None if known else max(200, sum(natural) + 2 * len(columns))
    out = Output(highlight=False, emoji=False, width=width)
    if title:
        out.print(Text(translate(title), style="italic"), soft_wrap=True)
    if not cells:
        out.print(Text(translate("(nothing)"), style="dim"))
        return
    for left_out in range(len(optional) + 1):
        kept = [index for index, column in enumerate(columns) if column not in optional[:left_out]]
        if widths := _widths([_Column(columns[index], [row[index] for row in cells]) for index in kept], out.width):
            _print_grid(
                out, [columns[index] for index in kept], [[row[index] for index in kept] for row in cells], widths
            )
            if left_out:
                hidden = translate(f"Not shown in {out.width} columns: {', '.join(optional[:left_out])}")
                out.print(Text(hidden, style="dim"))
            return
    _print_blocks(out, columns, cells)


class _Column:
    """How wide a column is, and how narrow it may become."""

    def __init__(self, heading: str, cells: Sequence[Text]) -> None:
        self.numeric = _is_numeric(cell.plain for cell in cells)
        self.natural = max(cell_len(heading), *(cell.cell_len for cell in cells))
        words = (cell_len(word) for cell in cells for word in _WORD.findall(cell.plain))
        fixed = self.numeric or any(cell.style for cell in cells)
        self.least = self.natural if fixed else min(self.natural, max(_NARROWEST, cell_len(heading), *words, 0))


def _widths(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Return the widths of the columns so that all fit into `width` characters; None if they cannot."""
    widths, room = [column.natural for column in columns], width - 2 * (len(columns) - 1)
    for index in reversed(range(len(widths))):  # the last column is usually a remark
        widths[index] = max(columns[index].least, widths[index] - max(0, sum(widths) - room))
    return widths if sum(widths) <= room else None


def _print_grid(out: Console, columns: Sequence[str], cells: Sequence[Sequence[Text]], widths: Sequence[int]) -> None:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = _is_numeric(row[index].plain for row in cells)
        table.add_column(Text(column), justify="right" if numeric else "left", width=widths[index], overflow="fold")
    for row in cells:
        table.add_row(*(_fitted(out, cell, width) for cell, width in zip(row, widths, strict=True)))
    out.print(table)


def _fitted(out: Console, cell: Text, width: int) -> Text:
    """Return a cell that takes at most `_MOST_LINES` lines of that width; what is cut ends with …."""
    if cell.cell_len <= width:
        return cell
    lines = cell.wrap(out, width, overflow="fold")
    kept = list(lines[:_MOST_LINES])
    for line in kept:
        line.rstrip()
    if len(lines) > _MOST_LINES:
        kept[-1].truncate(width - 1)
        kept[-1].append("…")
    return Text("\n").join(kept)


def _print_blocks(out: Console, columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> None:
    widest = max(map(cell_len, columns))
    for number, row in enumerate(cells):
        if number:
            out.print()
        for column, cell in zip(columns, row, strict=True):
            pad = " " * (widest - cell_len(column))
            out.print(Text.assemble((column, "bold"), pad, "  ", cell), soft_wrap=True)


def _is_numeric(texts: Iterable[str]) -> bool:
    texts = [text for text in texts if text]
    return bool(texts) and all(_NUMBER.fullmatch(text) for text in texts)


def _cell(value: Any, *, spoken: bool = False) -> Text:
    match value:
        case Text():
            return Text(harmless(translate(value.plain)), value.style)
        case None:
            return Text()
        case bool():
            return Text(translate("yes" if value else "no"))
        case str() if spoken:
            return Text(harmless(translate(value)))
        case int():
            return Text(f"{value:,}")
        case float():
            return Text(_number(value))
    return Text(harmless(str(value)))


def _number(value: float) -> str:
    """Format a number with at least two decimals, and without losing digits.

    Examples:
        >>> [_number(value) for value in (12.0, 1234.5, 1178282.59, 0.125, 1e-05, 2.5e-9, 1e16)]
        ['12.00', '1,234.50', '1,178,282.59', '0.125', '0.00001', '2.5e-09', '1e+16']
    """
    if value != 0 and not 1e-6 <= abs(value) < 1e15:
        return f"{value:g}" if value == float(f"{value:g}") else repr(value)
    whole, _, decimals = f"{Decimal(repr(value)):,.10f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}" if decimals else whole
