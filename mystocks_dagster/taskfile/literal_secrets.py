"""Secrets that a task file writes out: they work, and everybody who reads the file has them."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from mystocks_dagster.taskfile.problems import Fault, Path, Problem, TaskFileError
from mystocks_dagster.taskfile.secrets import MASK, is_secret, variables_only
from mystocks_dagster.taskfile.yaml.source import parse_text, read_text
from mystocks_dagster.taskfile.yaml.tree import walk

_HINT = "Put it into the environment, and write ${NAME} in its place."


def literal_secrets(file: FilePath) -> list[Problem]:
    """Return a warning for each param with a secret name whose value stands in the file; none when that cannot be read."""
    try:
        source = parse_text(read_text(file), str(file))
    except TaskFileError:
        return []
    return [source.problem(Fault(path, "warning: a secret stands in the file", _HINT)) for path in _found(source.data)]


def _found(data: dict[str, Any]) -> Iterator[Path]:
    for path, value in walk(data):
        if "params" in path and any(map(is_secret, path[path.index("params") + 1 :])) and _written_out(value):
            yield path


def _written_out(value: object) -> bool:
    if isinstance(value, str):
        return MASK in variables_only(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)
