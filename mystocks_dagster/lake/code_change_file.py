"""The project's own file of code changes, beside tasks.yaml: read, with all its problems by line and column."""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.calendar import shanghai
from mystocks_dagster.market.symbols import normalise
from mystocks_dagster.market.tables.reference import CODE_CHANGES
from mystocks_dagster.plain_files import read_plain
from mystocks_dagster.settings import CODE_CHANGES as FILE_NAME
from mystocks_dagster.settings import dataset_folder
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.yaml import lookalikes

#: The value of `source` in `code_changes`.
FILE = "file"
_HEADER = ("old_symbol", "new_symbol", "from_day")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_Row = tuple[str, str | None, date, str]


def own_changes() -> pl.DataFrame:
    """Return the changes of the project's file, as `code_changes`; empty without a file.

    Raises:
        TaskFileError: The file has problems; the error has all of them.
    """
    path = dataset_folder().with_name(FILE_NAME)
    return read_changes(path) if path.exists() else CODE_CHANGES.empty()


def problems() -> list[Problem]:
    """Return the problems of the project's file."""
    try:
        own_changes()
    except TaskFileError as error:
        return list(error.problems)
    return []


def read_changes(path: Path) -> pl.DataFrame:
    """Return the changes of a CSV file with the columns old_symbol, new_symbol and from_day, as `code_changes`.

    An empty new_symbol says that the code did not change. `#` begins a comment.

    Raises:
        TaskFileError: The file has problems; the error has all of them.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
    except OSError as error:
        hint = "Check that it is a file, and its permissions."
        raise TaskFileError([_problem(path, 1, 0, f"the file cannot be read: {error.strerror}", hint)]) from None
    except UnicodeDecodeError as error:
        raise TaskFileError([_problem(path, 1, 0, f"the file cannot be read: {error}", "Save it as UTF-8.")]) from None
    lines = text.splitlines()
    found = list(_read(path, lines))
    faults = [item for item in found if isinstance(item, Problem)]
    rows = [item for item in found if not isinstance(item, Problem)]
    if faults:
        raise TaskFileError(faults, lines)
    return pl.DataFrame(rows, schema=CODE_CHANGES.dtypes, orient="row")


def _read(path: Path, lines: Sequence[str]) -> Iterator[_Row | Problem]:
    """Yield the row, or the problem, of each line with content."""
    contents = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    contents = [(number, content) for number, content in contents if content]
    if not contents or tuple(_fields(contents[0][1])) != _HEADER:
        number = contents[0][0] if contents else 1
        other = lookalikes.first(contents[0][1]) if contents else None
        found = f"It contains {other}."
        hint = f"{found} {other.remedy}" if other else "Write it as the first line."
        yield _problem(path, number, 0, f"the first line is not {','.join(_HEADER)}", hint)
        return
    following: dict[str, str] = {}
    places: dict[str, int] = {}
    for number, content in contents[1:]:
        row = _row(path, number, _fields(content))
        if not isinstance(row, Problem):
            row = _consistent(path, number, row, following, places)
        yield row


def _fields(content: str) -> list[str]:
    return [field.strip() for field in next(csv.reader([content]))]


def _row(path: Path, number: int, fields: Sequence[str]) -> _Row | Problem:
    if len(fields) != len(_HEADER):
        text = f"{len(fields)} values, and {len(_HEADER)} are expected"
        return _problem(path, number, 0, text, f"Write {','.join(_HEADER)}; new_symbol may be empty.")
    codes: list[str | None] = []
    for column, text in enumerate(fields[:2]):
        try:
            codes.append(normalise(text) if text or not column else None)
        except InvalidParams as error:
            return _problem(path, number, _column(fields, column), f"{error}".rstrip("."), "")
    if not _DAY.fullmatch(fields[2]):
        return _problem(path, number, _column(fields, 2), f"{fields[2]!r} is not a day", "Write it like 2025-02-17.")
    try:
        day = date.fromisoformat(fields[2])
    except ValueError as error:
        return _problem(path, number, _column(fields, 2), f"{fields[2]!r} is not a day: {error}", "")
    if not shanghai().is_probable_session(day)[0]:
        hint = "Give the first trading day of the new code."
        return _problem(path, number, _column(fields, 2), f"{day} is not a trading day", hint)
    return f"{codes[0]}", codes[1], day, FILE


def _consistent(
    path: Path, number: int, row: _Row, following: dict[str, str], places: dict[str, int]
) -> _Row | Problem:
    """Return the row, or why it contradicts itself or an earlier one."""
    old, new, _, _ = row
    if old in places:
        return _problem(path, number, 0, f"{old} is in line {places[old]} already", "Leave one of the lines out.")
    places[old] = number
    if new is None:
        return row
    following[old] = new
    last = new
    while last in following and last != old:
        last = following[last]
    if last == old:
        hint = "A stock cannot return to a code it had; correct one of the lines."
        return _problem(path, number, 0, f"{new} leads back to {old}", hint)
    return row


def _column(fields: Sequence[str], index: int) -> int:
    return sum(len(field) + 1 for field in fields[:index])


def _problem(path: Path, line: int, offset: int, message: str, hint: str) -> Problem:
    return Problem(file=f"{path}", line=line, column=offset + 1, path="", message=message, hint=hint)
