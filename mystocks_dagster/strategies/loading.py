"""Loading the function of a strategy or an indicator: here a project's file is run. Only a task's process does this."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.strategies.definition import Definition

#: What may leave a project's code, and what Polars raises when it has a fault of its own.
FAILURES = (Exception, SystemExit, pl.exceptions.PanicException)


def function_of(definition: Definition) -> Callable[..., Any]:
    """Return the function of a strategy or an indicator; a file of the project is run.

    Raises:
        InvalidParams: The file fails, or has no such function any more.
    """
    module = _shipped(definition.file) if definition.shipped else _own(definition.file)
    function = vars(module).get(definition.name)
    if not callable(function):
        raise InvalidParams(f"{definition.file} has no function {definition.name!r} after it has run.")
    return function


def reason_of(error: BaseException) -> str:
    """Return why the code of a strategy or an indicator failed; the error is one of `FAILURES`."""
    text = str(error).partition("\n")[0]
    if isinstance(error, SystemExit):
        return f"it called sys.exit({text}) instead of returning"
    return text if isinstance(error, InvalidParams) else f"{type(error).__name__}: {text or 'no message'}"


def _shipped(path: Path) -> ModuleType:
    return importlib.import_module(f"mystocks_dagster.strategies.shipped.{path.stem}")


class _Loader(SourceFileLoader):
    """Reads the text each time: compiled code that was kept counts for every text of its size and its second."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Say that it is not known when the file was written, so that nothing is kept."""
        raise OSError(path)


def _own(path: Path) -> ModuleType:
    name = f"{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path)))
    if spec is None or spec.loader is None:
        raise InvalidParams(f"{path} cannot be run as Python.")
    module = importlib.util.module_from_spec(spec)
    # Last, so that nothing beside the task file can replace an installed module.
    if (beside := str(path.parent.parent)) not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except FAILURES as error:
        raise InvalidParams(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module
