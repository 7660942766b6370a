"""Warnings about two tasks that write one column, strategy or screen differently: each run undoes that of the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.market.catalogue.calculation import Calculation
from mystocks_dagster.taskfile.problems import Fault, Path, Problem
from mystocks_dagster.taskfile.reader import Version, load_task_file


@dataclass(frozen=True)
class _Part:
    """What an entry of a task's params writes.

    Attributes:
        key: The part of a table, such as a table and its column.
        content: What computes it; equal contents write equal values.
        path: The entry within the task.
    """

    key: tuple[str, ...]
    content: Any
    path: Path


def written_twice(file: FilePath) -> list[Problem]:
    """Return a warning for each entry of a task that another task writes too, with other values.

    A task file that cannot be read has none. Other symbols, days or start times make no difference.
    """
    try:
        version = load_task_file(file)
    except MyStocksError:
        return []
    return [*_indicators(version), *_signals(version), *_screens(version)]


def _indicators(version: Version) -> Iterator[Problem]:
    columns: dict[tuple[str, Path, str], dict[str, None]] = {}
    for task, part, first in _clashes(version, "indicators_daily"):
        columns.setdefault((task, part.path, first), {})[part.key[1]] = None
    for (task, path, first), names in columns.items():
        written = ", ".join(names)
        message = (
            f"warning: {task} and {first} (line {_line(version, first)}) both write {written}, by different formulas "
            "or parameters: whichever of them runs computes all of it again"
        )
        hint = "Give one of the two a name or label of its own, or write the same in both."
        yield _problem(version, task, path, message, hint)


def _signals(version: Version) -> Iterator[Problem]:
    for task, part, first in _clashes(version, "signals"):
        label = part.key[0]
        message = (
            f"warning: {task} and {first} (line {_line(version, first)}) both write the signals of {label}, with "
            "different parameters: whichever of them runs computes all of them again"
        )
        hint = f"Give one of the two a label of its own, such as label: {label}_2, or write the same in both."
        yield _problem(version, task, part.path, message, hint)


def _screens(version: Version) -> Iterator[Problem]:
    for task, part, first in _clashes(version, "screens"):
        message = (
            f"warning: {task} and {first} (line {_line(version, first)}) both write the screen {part.key[0]}, by "
            "different formulas: whichever of them runs replaces what the other stored of the day"
        )
        yield _problem(version, task, part.path, message, "Rename one of the two screens.")


def _clashes(version: Version, table: str) -> Iterator[tuple[str, _Part, str]]:
    """Yield each part that a task writes in another way than an earlier one, with the ids of both."""
    first: dict[tuple[str, ...], tuple[str, _Part]] = {}
    writing = [task for task in version.taskfile.tasks if table in version.writes.get(task.task_id, ())]
    for task in writing if len(writing) > 1 else ():
        for part in _parts(version.functions[task.task_id], task.params):
            other, before = first.setdefault(part.key, (task.task_id, part))
            if other != task.task_id and not _same(part, before):
                yield task.task_id, part, other


def _parts(function: Any, params: Mapping[str, Any]) -> list[_Part]:
    """Return what a task writes, for the functions whose params name it."""
    from mystocks_dagster.tasks.indicators import calculate_technical_indicators
    from mystocks_dagster.tasks.screening import screen_market
    from mystocks_dagster.tasks.strategy import calculate_strategy_signals

    parts_of = {
        calculate_technical_indicators: _columns,
        calculate_strategy_signals: _labels,
        screen_market: _names,
    }.get(function)
    try:
        return [*parts_of(params)] if parts_of else []
    except (ValidationError, MyStocksError):  # the file's own check reports it
        return []


def _columns(params: Mapping[str, Any]) -> Iterator[_Part]:
    from mystocks_dagster.tasks.indicator_choices import calculations
    from mystocks_dagster.tasks.indicators import IndicatorParams

    chosen = IndicatorParams.model_validate(params)
    for index, entry in enumerate(chosen.indicators):
        for item in calculations([entry]):
            for column, period in product(item.columns.values(), chosen.periods):
                yield _Part((period, column), item, ("params", "indicators", index))


def _labels(params: Mapping[str, Any]) -> Iterator[_Part]:
    from mystocks_dagster.strategies.choices import choice_of
    from mystocks_dagster.tasks.strategy import SignalParams

    for index, choice in enumerate(map(choice_of, SignalParams.model_validate(params).strategies)):
        yield _Part((choice.label,), choice.version, ("params", "strategies", index))


def _names(params: Mapping[str, Any]) -> Iterator[_Part]:
    from mystocks_dagster.tasks.screening import ScreenParams

    for index, screen in enumerate(ScreenParams.model_validate(params).screens):
        yield _Part((screen.name,), (screen.text(), screen.values, screen.period), ("params", "screens", index))


def _same(one: _Part, other: _Part) -> bool:
    contents = [one.content, other.content]
    if all(isinstance(item, Calculation) for item in contents):
        contents = [item.version for item in contents]
        if contents[0] != contents[1]:  # they may still give this column by one expression; to plan imports numba
            from mystocks_dagster.market.indicators import planned

            contents = [planned([item.content]).versions[one.key[1]] for item in (one, other)]
    return contents[0] == contents[1]


def _line(version: Version, task: str) -> int:
    return version.lines[task][0]


def _problem(version: Version, task: str, path: Path, message: str, hint: str) -> Problem:
    index = next(raw.index for raw in version.document.entries["tasks"] if raw.label == task)
    return version.document.problem(Fault(("tasks", index, *path), message, hint), task)
