"""The form of a run: a field for each parameter, prefilled from the task file."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from mystocks_dagster.source_choice import SOURCE_FIELD
from mystocks_dagster.taskfile.model import Task, masked_params
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.taskfile.yaml.dump import text_of
from mystocks_dagster.taskfile.yaml.source import parse_text


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter of a run.

    Attributes:
        text: The value of a run without changes, as one line of YAML, or as plain text if `textual`.
        choices: The allowed values; empty for any.
        kind: The type of the input: `date`, `number` or `text`.
        limits: `min`, `max` and `step` of a number.
        textual: Whether the field holds plain text instead of YAML.
        hidden: Whether its value is a secret from the environment, which is not shown.
    """

    name: str
    text: str
    description: str = ""
    choices: tuple[str, ...] = ()
    kind: Literal["text", "date", "number"] = "text"
    limits: Mapping[str, str] = field(default_factory=dict)
    textual: bool = False
    hidden: bool = False


def params_of(task: Task, function: Any, source: str | None = None) -> list[Param]:
    """Return the parameters that a run of the task takes.

    Args:
        task: The task.
        function: Its function.
        source: The environment's data source, which overrides the task's `data_source`.
    """
    model, values = params_model(function), masked_params(task)
    if source and model is not None and SOURCE_FIELD in model.model_fields:
        values = {**values, SOURCE_FIELD: source}
    if model is None:
        return [Param(name=name, text=text_of(value), hidden=name in task.secrets) for name, value in values.items()]
    return [_param(task, name, info, values) for name, info in model.model_fields.items()]


def _param(task: Task, name: str, info: FieldInfo, values: Mapping[str, Any]) -> Param:
    default = None if info.is_required() else _json(info.get_default(call_default_factory=True))
    value = values.get(name, default)
    choices, textual = _choices(info.annotation), _textual(info.annotation)
    text = "" if value is None else text_of(value)
    if value is not None and (textual or (choices and isinstance(value, str))):
        text = str(value)
    hidden = name in task.secrets
    kind = "text" if hidden else _kind(info.annotation, text)
    return Param(
        name=name,
        text="" if hidden else text,
        description=info.description or "",
        choices=("", *choices) if choices and name not in task.params and not text else choices,
        kind=kind,
        limits=_limits(info) if kind == "number" else {},
        textual=textual,
        hidden=hidden,
    )


def changed(params: Sequence[Param], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that differ from the prefilled form; the start validates them.

    Raises:
        TaskFileError: A value is not valid YAML.
    """
    return {
        param.name: _value(param, texts[param.name].strip())
        for param in params
        if texts.get(param.name, param.text).strip() != param.text
    }


def _value(param: Param, text: str) -> Any:
    if param.kind == "date" and not text:
        return None
    if param.textual:
        return text
    return parse_text(f"{param.name}: {text}", param.name).data[param.name]


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the values of a Literal, an enum or a bool as texts."""
    annotation = _bare(annotation)
    if get_origin(annotation) in (Union, UnionType):  # a name or a list of names: the names are the choices
        return next((choices for option in get_args(annotation) if (choices := _choices(option))), ())
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(value for value in get_args(annotation) if isinstance(value, str))
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return tuple(str(member.value) for member in annotation)
    return ()


def _kind(annotation: Any, text: str) -> Literal["text", "date", "number"]:
    """Return the type of the input for a parameter; one whose present value does not fit such an input stays text."""
    bare = _bare(annotation)
    if bare is date and _fits(_shown_by_a_browser, text):
        return "date"
    if bare in (int, float) and _fits(float, text):
        return "number"
    return "text"


def _shown_by_a_browser(text: str) -> date:
    """Return the day of an input for dates, which is empty for any other way to write it."""
    if "-" not in text:
        raise ValueError(text)
    return date.fromisoformat(text)


def _fits(read: Callable[[str], object], text: str) -> bool:
    try:
        return not text or bool(str(read(text)))
    except ValueError:
        return False


def _limits(info: FieldInfo) -> dict[str, str]:
    """Return the attributes of a number's input; a bound that is excluded is left to the check at the start."""
    limits = {"step": "1" if _bare(info.annotation) is int else "any"}
    for bound in info.metadata:
        for name, attribute in (("ge", "min"), ("le", "max")):
            if (value := getattr(bound, name, None)) is not None:
                limits[attribute] = str(value)
    return limits


def _textual(annotation: Any) -> bool:
    return _bare(annotation) in (str, date, datetime, Path)


def _bare(annotation: Any) -> Any:
    """Return the type within `Annotated` and within `X | None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        present = [option for option in get_args(annotation) if option is not type(None)]
        return _bare(present[0]) if len(present) == 1 else annotation
    return annotation


def _json(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, (date, datetime, Path)) else value
