"""The form of a run: one field for each parameter, prefilled with what the task file says."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from mystocks_dagster.factory.config_schema import SOURCE_FIELD
from mystocks_dagster.taskfile.model import Task, masked_params
from mystocks_dagster.taskfile.signature import params_model
from mystocks_dagster.taskfile.yaml.dump import text_of
from mystocks_dagster.taskfile.yaml.source import parse_text


@dataclass(frozen=True, kw_only=True)
class Param:
    """One parameter of a run.

    Attributes:
        text: What a run is given when nobody changes it, as one line of YAML; plain for text.
        choices: The only values, when there are some.
        textual: What is typed is taken as it is, not read as YAML.
        hidden: Its value comes from the environment and is not shown.
    """

    name: str
    text: str
    description: str = ""
    choices: tuple[str, ...] = ()
    textual: bool = False
    hidden: bool = False


def params_of(task: Task, function: Any, source: str | None = None) -> list[Param]:
    """Return the parameters that a run of the task takes; `source` is what the environment says in place of its `data_source`."""
    model, given, shown = params_model(function), task.params, masked_params(task)
    if source and model is not None and SOURCE_FIELD in model.model_fields:
        shown = {**shown, SOURCE_FIELD: source}
    if model is None:
        return [Param(name=name, text=text_of(value), hidden=name in task.secrets) for name, value in shown.items()]
    found = []
    for name, info in model.model_fields.items():
        default = None if info.is_required() else _json(info.get_default(call_default_factory=True))
        value = shown.get(name, default)
        choices, textual = _choices(info.annotation), _textual(info.annotation)
        text = (
            "" if value is None else str(value) if textual or (choices and isinstance(value, str)) else text_of(value)
        )
        hidden = name in task.secrets
        found.append(
            Param(
                name=name,
                text="" if hidden else text,
                description=info.description or "",
                choices=("", *choices) if choices and name not in given and not text else choices,
                textual=textual,
                hidden=hidden,
            )
        )
    return found


def changed(params: Sequence[Param], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters that somebody changed in the form; whether they fit is for the start to say.

    Raises:
        TaskFileError: One is no YAML.
    """
    return {
        one.name: _value(one, texts[one.name].strip())
        for one in params
        if texts.get(one.name, one.text).strip() != one.text
    }


def _value(param: Param, text: str) -> Any:
    if param.textual:
        return text
    return parse_text(f"{param.name}: {text}", param.name).data[param.name]


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the values of a Literal, an enum or a bool, as they are typed."""
    annotation = _bare(annotation)
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(one for one in get_args(annotation) if isinstance(one, str))
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return tuple(str(one.value) for one in annotation)
    return ()


def _textual(annotation: Any) -> bool:
    return _bare(annotation) in (str, date, datetime, Path)


def _bare(annotation: Any) -> Any:
    """Return the type within Annotated and within `X | None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    present = [one for one in get_args(annotation) if one is not type(None)]
    # A union with None alone: `str | None`.
    if (
        len(present) == 1
        and len(get_args(annotation)) == 2
        and get_origin(annotation) not in (list, dict, tuple, Literal)
    ):
        return _bare(present[0])
    return annotation


def _json(value: Any) -> Any:
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, (date, datetime, Path)) else value
