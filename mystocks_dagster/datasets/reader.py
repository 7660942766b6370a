"""Reading a dataset file: all its problems with file, line, column and remedy."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mystocks_dagster.datasets.declared_table import declared_table, types_of
from mystocks_dagster.datasets.faults import dataset_faults
from mystocks_dagster.datasets.model import NAME, ColumnType, DatasetFile, with_calls
from mystocks_dagster.market.table import Table
from mystocks_dagster.taskfile import pydantic_errors
from mystocks_dagster.taskfile.problems import Fault, Problem, TaskFileError
from mystocks_dagster.taskfile.yaml.document import has
from mystocks_dagster.taskfile.yaml.source import Kind, Source, parse_text, read_text

_HINT = "Write its fields, such as `title:`, `key:` and `columns:`; docs/datasets.md has an example."
_KIND = Kind(("the dataset file is empty", _HINT), ("a dataset file is a mapping of fields", _HINT))


@dataclass(frozen=True)
class Dataset:
    """A dataset without problems.

    Attributes:
        name: The name of its file.
        file: The file.
        spec: Its fields.
        table: The table that it fills.
    """

    name: str
    file: Path
    spec: DatasetFile
    table: Table

    @cached_property
    def types(self) -> Mapping[str, ColumnType]:
        """The types of its columns."""
        return types_of(self.spec, self.table)

    @property
    def declares_table(self) -> bool:
        """Whether the table is declared by this file."""
        return self.spec.table is None


def read_dataset(path: Path, tables: Mapping[str, Table], *, calls: bool = True) -> Dataset:
    """Return the dataset of a file.

    Args:
        path: The file; its name is the name of the dataset.
        tables: The tables that are declared in Python.
        calls: Whether to look up akshare's functions.

    Raises:
        TaskFileError: The file has problems; the error has all of them.
    """
    source = parse_text(read_text(path), str(path), _KIND)
    spec, problems = _parse(path, source, tables, calls=calls)
    if problems or spec is None:
        raise TaskFileError(problems, source.lines)
    table = tables[spec.table] if spec.table else declared_table(path.stem, spec)
    return Dataset(path.stem, path, spec, table)


def _parse(
    path: Path, source: Source, tables: Mapping[str, Table], *, calls: bool
) -> tuple[DatasetFile | None, list[Problem]]:
    faults = list(source.faults)
    spec: DatasetFile | None = None
    if not NAME.fullmatch(path.stem):
        message = f"{path.name} is not a valid name: small letters, digits and _, a letter first"
        return None, [Problem(file=str(path), line=1, column=1, path="", message=message, hint="Rename the file.")]
    try:
        spec = DatasetFile.model_validate(with_calls(source.data))
    except ValidationError as error:
        faults += pydantic_errors.faults(error, DatasetFile, source.data)
    else:
        faults += dataset_faults(path.stem, spec, tables, calls=calls)
    problems = [source.problem(_written(fault, source), None) for fault in faults]
    return spec, sorted(problems, key=lambda problem: (problem.line, problem.column))


def _child(data: Any, part: str | int) -> Any:
    return data[part] if has(data, (part,)) else None


def _written(fault: Fault, source: Source) -> Fault:
    """Return the fault with a path as the file is written: a single call is no list, and a rule may be one text."""
    data: Any = source.data
    path: list[str | int] = []
    for part in fault.path:
        if isinstance(part, int) and not isinstance(data, list):
            continue
        if isinstance(data, str):
            break
        path.append(part)
        data = _child(data, part)
    return fault._replace(path=tuple(path))
