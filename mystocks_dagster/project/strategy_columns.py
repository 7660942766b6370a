"""The columns that the project's own strategies read, compared with those that the tasks of the file calculate."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import SOURCE_FIELD, split_sources
from mystocks_dagster.sources.registry import DEFAULT, declarations
from mystocks_dagster.strategies.choices import Choice, choice_of
from mystocks_dagster.strategies.columns import (
    ADJUSTED,
    BARS,
    LIMITS,
    STATEMENTS,
    VALUATION,
    WRITERS,
    indicator_columns,
    tables_of,
)
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.taskfile.problems import Fault, Problem
from mystocks_dagster.taskfile.reader import Version, load_task_file
from mystocks_dagster.taskfile.signature import params_model


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


def table_warnings(file: Path, settings: Settings) -> list[Problem]:
    """Return a warning for each strategy of a task that reads a table which no task of the file writes.

    A source that does not offer a table does not fill it. A task file that cannot be read has no warnings.
    """
    try:
        version = load_task_file(file)
    except MyStocksError:
        return []
    written = _written(version, settings)
    warnings = []
    for task in version.taskfile.tasks:
        index = next(raw.index for raw in version.document.entries["tasks"] if raw.label == task.task_id)
        for place, choice in enumerate(_choices(version.functions[task.task_id], task.params)):
            for table in tables_of(choice.definition.reads):
                if table in WRITERS and table not in written:
                    message = f"warning: {choice.label} reads the table {table}, which no task of {file.name} writes"
                    fault = Fault(("tasks", index, "params", "strategies", place), message, WRITERS[table])
                    warnings.append(version.document.problem(fault, task.task_id))
    return warnings


def _choices(function: Any, params: Mapping[str, Any]) -> list[Choice]:
    from mystocks_dagster.tasks.strategy import calculate_strategy_signals

    return list(map(choice_of, params.get("strategies", ()))) if function is calculate_strategy_signals else []


def _written(version: Version, settings: Settings) -> set[str]:
    """Return the tables of `WRITERS` that the tasks of a file fill from the sources which they choose."""
    written: set[str] = set()
    for task in version.taskfile.tasks:
        tables = {*version.writes.get(task.task_id, ()), *version.also_writes.get(task.task_id, ())} & {*WRITERS}
        model = params_model(version.functions[task.task_id])
        if tables and model and SOURCE_FIELD in model.model_fields:
            names = split_sources(settings.source or task.params.get(SOURCE_FIELD)) or (DEFAULT,)
            tables = {table for table in tables if any(_offers(name, table) for name in names)}
        written |= tables
    return written


def _offers(source: str, table: str) -> bool:
    """Return whether a source may fill a table; one whose tables depend on its settings, and `auto`, may."""
    declaration = declarations().get(source)
    return declaration is None or not declaration.offers or table in declaration.tables


def _calculated(file: Path) -> dict[str, bool]:
    """Return the columns that tasks calculate, and whether each looks ahead."""
    from mystocks_dagster.tasks import run

    def found() -> Iterator[tuple[str, bool]]:
        for task in version.taskfile.tasks:
            yield from run.tables_of(version.functions[task.task_id], task.params).columns.items()

    try:
        version = load_task_file(file)
    except MyStocksError:
        return {}
    return dict(found())


def _problem(definition: Definition, message: str, hint: str) -> Problem:
    return Problem(file=str(definition.file), line=definition.line, column=1, path="", message=message, hint=hint)
