"""Translation of pydantic's errors into faults with value, allowed values and similar names."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mystocks_dagster.excerpts import near, suggest
from mystocks_dagster.taskfile.problems import Fault, Path, shorten
from mystocks_dagster.taskfile.yaml.document import has
from mystocks_dagster.taskfile.yaml.scalars import scalar

#: Field names of other systems, which a comparison of letters does not find.
_SYNONYMS = {
    "after": "dependencies",
    "args": "params",
    "cron": "cron_expression",
    "depends_on": "dependencies",
    "deps": "dependencies",
    "every": "interval_seconds",
    "function": "task_function",
    "id": "task_id",
    "interval": "interval_seconds",
    "kwargs": "params",
    "max_retries": "retry_count",
    "members": "tasks",
    "mode": "execution_mode",
    "module": "task_module",
    "name": "task_name",
    "parameters": "params",
    "retries": "retry_count",
    "retry": "retry_count",
    "tz": "timezone",
}
#: Masking shorter values would hide half of every message.
_SHORTEST_SECRET = 4
#: Characters of a list that a remedy writes out.
_LONGEST_LIST = 60
#: Faults reported of one entry: finding similar names takes time.
_MAX_FAULTS = 200
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
#: The kinds of error of a strict number, or of a strict true or false, that is another thing.
_STRICT = frozenset({"int_type", "float_type", "bool_type"})
#: The messages of values out of bounds, with label, bound and value.
_BOUNDS: Mapping[str, Callable[[str, object, str], str]] = {
    "greater_than_equal": lambda label, bound, found: f"{label} must be at least {bound}, found {found}",
    "greater_than": lambda label, bound, found: f"{label} must be more than {bound}, found {found}",
    "less_than_equal": lambda label, bound, found: f"{label} must be at most {bound}, found {found}",
    "less_than": lambda label, bound, found: f"{label} must be less than {bound}, found {found}",
}
#: Kinds of error whose message contains no other value than `found`.
_NAMED = frozenset({*_EXPECTED, *_BOUNDS, "missing", "extra_forbidden", "literal_error"})


def faults(
    error: ValidationError,
    model: type[BaseModel],
    data: Any,
    *,
    secret: Iterable[Path] = (),
    taker: str = "",
) -> Iterator[Fault]:
    """Yield one fault for each of pydantic's errors.

    Args:
        error: The error of validating `data` as `model`.
        model: The model, for the names of its fields.
        data: The data, for its paths.
        secret: Paths whose values came from the environment and must not be shown.
        taker: The function that takes the data as its parameters; empty for other data.
    """
    hidden = set(secret)
    seen: set[Path] = set()
    for detail in error.errors(include_url=False)[:_MAX_FAULTS]:
        path = _within(data, detail["loc"], missing=detail["type"] == "missing")
        if detail["type"] == "cross_field" or path in seen:
            continue
        seen.add(path)
        fault = _fault(detail, path, model, hidden=any(path[: len(prefix)] == prefix for prefix in hidden))
        if detail["type"] == "extra_forbidden" and taker:
            fault = fault._replace(message=f"{taker} takes no parameter {str(path[-1])!r}")
        yield fault._replace(message=without_secrets(fault.message, data, hidden))


def places_of_text(error: ValidationError, data: Any) -> list[Path]:
    """Return the paths of texts that stand where a number, or true or false, is expected."""
    found = [detail for detail in error.errors(include_url=False) if detail["type"] in _STRICT]
    return [_within(data, detail["loc"], missing=False) for detail in found if isinstance(detail["input"], str)]


def without_secrets(text: str, data: Any, secret: Iterable[Path]) -> str:
    """Mask values from the environment that a validator may have put into its message."""
    for path in secret:
        value = data
        for part in path if has(data, path) else ():
            value = value[part]
        if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return text


def _within(data: Any, path: Path, *, missing: bool) -> Path:
    """Return the parts of a path that exist in the data: pydantic adds the alternatives of a union to it."""
    existing: list[str | int] = []
    for part in path:
        if has(data, (part,)):
            data = data[part]
            existing.append(part)
    return (*existing, path[-1]) if missing else tuple(existing)


def _fault(detail: ErrorDetails, path: Path, model: type[BaseModel], *, hidden: bool) -> Fault:
    kind, context = _kind(detail), detail.get("ctx", {})
    name = str(path[-1]) if path else ""
    found = "a value from the environment" if hidden else shorten(detail["input"])
    label = f"entry {path[-1] + 1} of {path[-2]}" if path and isinstance(path[-1], int) and len(path) > 1 else name
    if hidden and kind not in _NAMED:
        return Fault(path, f"{label}: the value from the environment is not valid", "Check the variable.")
    if kind == "task_file":
        return Fault(path, context["text"], context["hint"], span=context["span"])
    if kind == "missing":
        return Fault(path, f"{name} is missing", f"Add {_example(model, path)}.", at_key=True)
    if kind == "extra_forbidden":
        return Fault(path, f"unknown key {name!r}", unknown_key(name, _fields(model, path[:-1])), at_key=True)
    if kind == "literal_error":
        allowed = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        hint = f"Allowed: {', '.join(allowed)}." if hidden else suggest(str(detail["input"]), allowed)
        return Fault(path, f"{label} cannot be {found}", hint)
    if kind in _EXPECTED:
        value = "" if hidden or isinstance(detail["input"], (str, dict, list)) else found
        hint = _quotes(kind, detail["input"], hidden=hidden) or _as_list(kind, detail["input"], model, path, hidden)
        return Fault(path, f"{label} must be {_EXPECTED[kind]}, found {found}", hint, value=value)
    if kind in _BOUNDS:
        return Fault(path, _BOUNDS[kind](label, next(iter(context.values())), found))
    if kind in ("too_short", "string_too_short"):
        hint = f"Add {_example(model, path)}." if kind == "too_short" else "Write a value."
        return Fault(path, f"{label} is empty", hint)
    if kind == "value_error":
        return Fault(path, f"{label}: {context['error']}" if label else str(context["error"]))
    message = f"{label}: {detail['msg'][:1].lower()}{detail['msg'][1:]}, found {found}" if label else detail["msg"]
    return Fault(path, message)


def _kind(detail: ErrorDetails) -> str:
    """Return pydantic's name of an error; what is not a number is beyond no bound."""
    is_nan = detail["type"] in _BOUNDS and str(detail["input"]).strip(" +-.").lower() == "nan"
    return "float_type" if is_nan else detail["type"]


def unknown_key(name: str, allowed: Iterable[str]) -> str:
    """Return the hint for an unknown key: a similar key, or the allowed ones."""
    allowed = list(allowed)
    synonym = _SYNONYMS.get(name.lower())
    if synonym in allowed and near(name, allowed)[:1] != [synonym]:
        return f"Did you mean {synonym!r}?"
    return suggest(name, allowed)


def _quotes(kind: str, value: Any, *, hidden: bool) -> str:
    """Return the remedy for the most common mistakes of type."""
    if hidden:
        return ""
    quoted = isinstance(value, str) and not isinstance(scalar(value.strip()), str)
    if quoted and kind.startswith(("int", "float", "bool")):
        return "Write it without quotes."
    if kind == "string_type" and not isinstance(value, (dict, list)):
        return f'Write it in quotes: "{shorten(value)}".'
    return ""


def _as_list(kind: str, value: Any, model: type[BaseModel], path: Path, hidden: bool) -> str:
    """Return the remedy for one value, or values between commas, where a list is expected."""
    if hidden or kind not in ("list_type", "tuple_type") or type(value) not in (str, int):
        return ""
    owner = _model_at(model, path[:-1]) if path else None
    field = owner.model_fields.get(str(path[-1])) if owner else None
    parts = [part.strip() for part in str(value).replace("，", ",").split(",")]
    if field is None or str not in _entries(field.annotation):
        parts = parts if all(isinstance(scalar(part), (int, float)) for part in parts) else list(map(repr, parts))
    else:
        parts = list(map(repr, parts))
    text = ", ".join(parts)
    return f"Write [{text}]." if len(text) <= _LONGEST_LIST else "Write a list: values between [ and ]."


def _entries(annotation: Any) -> Iterator[Any]:
    """Yield the plain types within an annotation, such as `str` of `list[str] | None`."""
    if arguments := get_args(annotation):
        for argument in arguments:
            yield from _entries(argument)
    else:
        yield annotation


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    owner = _model_at(model, path)
    return list(owner.model_fields) if owner else []


def _example(model: type[BaseModel], path: Path) -> str:
    owner = _model_at(model, path[:-1])
    field = owner.model_fields.get(str(path[-1])) if owner else None
    if field is None or not field.examples:
        return str(path[-1])
    example = field.examples[0]
    return f"{path[-1]}, such as {', '.join(example) if isinstance(example, list) else example}"


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the model at a path; a field may hold it in a union or a list."""
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = next(_models_in(field.annotation), None) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
