"""`${VAR}` and `${VAR:-default}` in values of the task file, read from the environment."""

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mystocks_dagster.excerpts import near
from mystocks_dagster.taskfile.problems import Fault, Path
from mystocks_dagster.taskfile.yaml.scalars import scalar
from mystocks_dagster.taskfile.yaml.tree import walk

#: `$${` is a literal `${`; an opening brace without its closing one is matched in order to report it.
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<close>\}?)")
_OURS = "MYSTOCKS_"
_INNER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)
#: Fields that everybody sees, in the UI, in logs and in file names, and which therefore must not contain a secret.
PUBLIC = frozenset(
    {
        "task_id",
        "task_name",
        "group_id",
        "group_name",
        "description",
        "tags",
        "dependencies",
        "tasks",
        "task_module",
        "task_function",
    }
)


class Written(NamedTuple):
    """A value with variables as written in the file.

    Attributes:
        text: The text.
        secret: Whether a part of the value came from the environment; a default in the file is not secret.
    """

    text: str
    secret: bool


def has_variable(value: object) -> bool:
    """Return whether a value contains a variable; `$${` is a literal `${`.

    Examples:
        >>> has_variable("Bearer ${TOKEN}"), has_variable("${A:-b}"), has_variable("costs $${5}"), has_variable(5)
        (True, True, False, False)
    """
    return isinstance(value, str) and any(match.group() != "$${" for match in _VARIABLE.finditer(value))


def resolve_variables(
    data: dict[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[Path, Written], list[Fault]]:
    """Return `data` with variables replaced, the original texts by path, and the faults.

    Outside `params`, a result that looks like a number, true or false becomes one, as unquoted text does. In `params`
    it stays text, which a params model converts: a password of digits must stay text. `as_unquoted` is for models whose
    numbers are strict.
    """
    templates = [(path, value) for path, value in walk(data) if isinstance(value, str) and "${" in value]
    if not templates:
        return data, {}, []
    data = copy.deepcopy(data)
    faults: list[Fault] = []
    written: dict[Path, Written] = {}
    for path, template in templates:
        used: list[str] = []

        def replace(match: re.Match[str], path: Path = path, used: list[str] = used) -> str:
            value = "${" if match.group() == "$${" else _value(match, path, environment, used)
            if isinstance(value, Fault):
                faults.append(value)
                return ""
            return value

        before = len(faults)
        text = _VARIABLE.sub(replace, template)
        written[path] = Written(template, bool(used))
        if len(faults) == before:
            _put(data, path, text if path[0] == "params" else scalar(text))
    return data, written, faults


def as_unquoted(data: dict[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return `data` in which the texts at some paths are what they would be without quotes, such as a number."""
    data = copy.deepcopy(data)
    for path in paths:
        value: Any = data
        for part in path:
            value = value[part]
        _put(data, path, scalar(str(value)))
    return data


def _value(match: re.Match[str], path: Path, environment: Mapping[str, str], used: list[str]) -> str | Fault:
    """Return the value of a variable; add its name to `used` when it came from the environment."""
    span = (match.start(), match.end() - match.start())
    inner = _INNER.fullmatch(match["inner"])
    if not inner or not match["close"]:
        return Fault(
            path,
            f"{match.group()!r} is not a variable",
            "Write ${NAME} or ${NAME:-default}; $${ stands for a literal ${.",
            span=span,
        )
    name, default = inner["name"], inner["default"]
    if default is not None and "{" in default:
        hint = f"Write ${{{name}:-text}} with text without braces, or set {name}."
        return Fault(path, "a default can hold neither another variable nor braces", hint, span=span)
    if path[0] in PUBLIC:
        return Fault(
            path,
            f"{path[0]} cannot contain a variable: it is visible to everybody",
            "Write the text itself.",
            span=span,
        )
    value = environment.get(name)
    if default is not None and not value:
        return default
    if value is None:
        similar = [other for other in near(name, environment) if _alike(name, other)]
        hint = f"Did you mean ${{{similar[0]}}}?" if similar else f"Set it, or give a default: ${{{name}:-default}}."
        return Fault(path, f"the environment variable {name} is not set", hint, span=span)
    used.append(name)
    return value


def _alike(name: str, other: str) -> bool:
    """Return whether two names are alike beside the beginning that all names of the project's variables share."""
    return bool(near(name.removeprefix(_OURS), [other.removeprefix(_OURS)]))


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
