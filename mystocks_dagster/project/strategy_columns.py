"""The columns that the project's own strategies read, compared with those that the tasks of the file calculate."""

from collections.abc import Iterator
from pathlib import Path

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.strategies.columns import ADJUSTED, BARS, LIMITS, STATEMENTS, VALUATION, indicator_columns
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.taskfile.problems import Problem
from mystocks_dagster.taskfile.reader import load_task_file


def column_problems(file: Path) -> tuple[list[Problem], list[Problem]]:
    """Return the problems of columns that look ahead, and the warnings of columns that no task calculates.

    Without a strategy of the project, and for a task file that cannot be read, there are none.
    """
    own = [definition for definition in strategies().values() if not definition.shipped]
    columns = _calculated(file) if own else {}
    problems, warnings = [], []
    for definition in own if columns else ():
        for name in indicator_columns(definition.reads):
            if name not in columns:
                known = [*BARS, "close_hfq", *ADJUSTED, *LIMITS, *VALUATION, *STATEMENTS, *columns]
                message = f"warning: {definition.name} reads {name!r}, which no task of {file.name} calculates"
                remedy = suggest(name, near(name, known)) or "Add it to the indicators of a task."
                warnings.append(_problem(definition, message, remedy))
            elif columns[name]:
                message = f"{definition.name}: it reads {name!r}, whose value on a day depends on later days"
                problems.append(_problem(definition, message, "A strategy knows no later day; read another column."))
    return problems, warnings


def _calculated(file: Path) -> dict[str, bool]:
    """Return the columns that tasks calculate, and whether each looks ahead."""
    from mystocks_dagster.tasks.run import tables_of

    def found() -> Iterator[tuple[str, bool]]:
        for task in version.taskfile.tasks:
            yield from tables_of(version.functions[task.task_id], task.params).columns.items()

    try:
        version = load_task_file(file)
    except MyStocksError:
        return {}
    return dict(found())


def _problem(definition: Definition, message: str, hint: str) -> Problem:
    return Problem(file=str(definition.file), line=definition.line, column=1, path="", message=message, hint=hint)
