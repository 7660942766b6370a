"""Warnings about literal secrets in a task file, which everybody who reads the file can see."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from mystocks_dagster.taskfile.problems import Fault, Path, Problem, TaskFileError
from mystocks_dagster.taskfile.secrets import MASK, is_secret, variables_only
from mystocks_dagster.taskfile.yaml.source import parse_text, read_text
from mystocks_dagster.taskfile.yaml.tree import walk

_HINT = "Put it into an environment variable, and write ${NAME} instead."


def literal_secrets(file: FilePath) -> list[Problem]:
    """Return a warning for each param with a secret name and a literal value; none when the file cannot be read."""
    try:
        source = parse_text(read_text(file), str(file))
    except TaskFileError:
        return []
    return [source.problem(Fault(path, "warning: the file contains a secret", _HINT)) for path in _paths(source.data)]


def _paths(data: dict[str, Any]) -> Iterator[Path]:
    for path, value in walk(data):
        if "params" in path and any(map(is_secret, path[path.index("params") + 1 :])) and _is_literal(value):
            yield path


def _is_literal(value: object) -> bool:
    if isinstance(value, str):
        return MASK in variables_only(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)
