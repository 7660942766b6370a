"""`${VAR}` and `${VAR:-default}` in values of the task file, read from the environment."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from mystocks_dagster.taskfile.problems import Fault, Path, near
from mystocks_dagster.taskfile.tree import scalar, walk

#: `$${` stands for a literal `${`; an opening without its closing brace is matched to be complained about.
_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<close>\}?)")
_INNER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)
#: Fields that everybody sees, in the UI, in logs and in file names: a secret has no business there.
PUBLIC = frozenset(
    {"task_id", "task_name", "group_id", "group_name", "description", "tags", "dependencies", "tasks", "task_module", "task_function"}
)


def resolve_variables(data: dict[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[Path, str], list[Fault]]:
    """Return `data` with variables replaced, what was written where they stood, and what is wrong with them.

    Outside `params`, a value that comes to look like a number, true or false becomes one, as unquoted text does.
    In `params` it stays text, which a params model converts: a password of digits must stay what it is.
    """
    templates = [(path, value) for path, value in walk(data) if isinstance(value, str) and "${" in value]
    if not templates:
        return data, {}, []
    data = copy.deepcopy(data)
    faults: list[Fault] = []
    for path, value in templates:
        text, found = _substitute(path, value, environment)
        faults += found
        if not found:
            _put(data, path, text if path[0] == "params" else scalar(text))
    return data, dict(templates), faults


def _substitute(path: Path, template: str, environment: Mapping[str, str]) -> tuple[str, list[Fault]]:
    faults: list[Fault] = []

    def replace(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        value = _value(match, path, environment)
        if isinstance(value, Fault):
            faults.append(value)
            return ""
        return value

    return _VARIABLE.sub(replace, template), faults


def _value(match: re.Match[str], path: Path, environment: Mapping[str, str]) -> str | Fault:
    span = (match.start(), match.end() - match.start())
    inner = _INNER.fullmatch(match["inner"])
    if not inner or not match["close"]:
        return Fault(
            path, f"{match.group()!r} is no variable", "Write ${NAME} or ${NAME:-default}; $${ stands for a literal ${.", span=span
        )
    name, default = inner["name"], inner["default"]
    if path[0] in PUBLIC:
        return Fault(path, f"no variable can stand in {path[0]}: it is shown to everybody", "Write the text itself.", span=span)
    value = environment.get(name)
    if default is not None:
        return value or default
    if value is None:
        alike = near(name, environment)
        hint = f"Did you mean ${{{alike[0]}}}?" if alike else f"Set it, or give a default: ${{{name}:-default}}."
        return Fault(path, f"the environment variable {name} is not set", hint, span=span)
    return value


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
