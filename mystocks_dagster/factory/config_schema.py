"""Dagster config of a task's parameters: the typed form in the Launchpad.

`dg.Config` does not support dates, lists of Literal, unions, paths and nested models. The schema only describes: the
parameters' own model validates the values before the task starts.
"""

import inspect
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mystocks_dagster.source_choice import SOURCE_FIELD, split_sources
from mystocks_dagster.sources.registry import DEFAULT
from mystocks_dagster.taskfile.signature import params_model


def config_fields(
    function: Callable[..., Any], params: Mapping[str, Any], secret: frozenset[str]
) -> dict[str, dg.Field]:
    """Return the config fields of a task, with the values of tasks.yaml as defaults.

    Args:
        function: The task's function; its params model has names, types and descriptions.
        params: The values in tasks.yaml.
        secret: Names whose values come from the environment; they are not shown as defaults.
    """
    model = params_model(function)
    if model is None:
        return {name: _untyped(value, hidden=name in secret) for name, value in params.items()}
    return {name: _field(model, name, info, params, hidden=name in secret) for name, info in model.model_fields.items()}


def model_fields(model: type[BaseModel]) -> dict[str, dg.Field]:
    """Return the config fields of a model, with its defaults."""
    return {name: _field(model, name, info, {}, hidden=False) for name, info in model.model_fields.items()}


def form_values(function: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that the params model accepts as the config takes them: a day like 20261127, a number, as text."""
    model = params_model(function)
    fields = model.model_fields if model else {}
    return {
        name: str(value) if _is_day(fields.get(name)) and type(value) is int else value
        for name, value in params.items()
    }


def _is_day(info: FieldInfo | None) -> bool:
    return info is not None and date in (info.annotation, *get_args(info.annotation))


def _untyped(value: Any, *, hidden: bool) -> dg.Field:
    kinds: dict[type, Any] = {bool: dg.Bool, int: dg.Int, float: dg.Float, str: dg.String}
    default = {} if hidden or value is None else {"default_value": value}
    return dg.Field(dg.Noneable(kinds.get(type(value), dg.Any)), is_required=False, **default)


def _field(model: type[BaseModel], name: str, info: FieldInfo, params: Mapping[str, Any], *, hidden: bool) -> dg.Field:
    kind = _kind(info.annotation, f"{model.__name__}_{name}")
    description = info.description or ""
    if hidden:
        return dg.Field(kind, is_required=False, description=f"{description} (from the environment)")
    if name == SOURCE_FIELD:
        default = ", ".join(split_sources(params.get(name))) or DEFAULT
        return dg.Field(kind, is_required=False, description=f"{description} Default: MYSTOCKS_SOURCE, else {default}.")
    value = params[name] if name in params else info.get_default(call_default_factory=True)
    if name not in params and info.is_required():
        return dg.Field(kind, is_required=False, description=description)
    return dg.Field(kind, is_required=False, description=description, default_value=_plain(value))


def _plain(value: Any) -> Any:
    """Return `value` as JSON data."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case Enum():
            return value.value
        case date() | datetime():
            return value.isoformat()
        case Path():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
    return value


def _kind(annotation: Any, name: str) -> Any:
    """Return the Dagster config type of a Python annotation; `name` names enums and must be unique."""
    simple: dict[Any, Any] = {bool: dg.Bool, int: dg.Int, float: dg.Float, str: dg.String}
    if annotation in simple:
        return simple[annotation]
    if annotation in (date, datetime, Path):
        return dg.String
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0], name)
    if origin is Literal and all(isinstance(item, str) for item in arguments):
        return dg.Enum(name, [dg.EnumValue(item) for item in arguments])
    if origin in (list, tuple, set, frozenset) and arguments:
        return dg.Array(_kind(arguments[0], name))
    if origin in (Union, types.UnionType):
        return _union(arguments, name)
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return dg.Enum(name, [dg.EnumValue(item.value) for item in annotation])
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        fields = {
            key: dg.Field(_kind(info.annotation, f"{name}_{key}"), is_required=False)
            for key, info in annotation.model_fields.items()
        }
        return dg.Permissive(fields) if annotation.model_config.get("extra") == "allow" else dg.Shape(fields)
    if annotation is dict or origin is dict:
        return dg.Permissive()
    return dg.Any


def _union(arguments: tuple[Any, ...], name: str) -> Any:
    present = [item for item in arguments if item is not type(None)]
    if len(present) == len(arguments):
        return _text_or_list(present)
    return dg.Noneable(_kind(present[0], name) if len(present) == 1 else dg.Any)


def _text_or_list(options: list[Any]) -> Any:
    """Return the type of a text or a list of texts; any value for other unions."""
    bare = [get_args(option)[0] if get_origin(option) is Annotated else option for option in options]
    kinds = [get_origin(option) or option for option in bare]
    if len(kinds) == 2 and kinds[0] in (Literal, str) and kinds[1] is list:
        return dg.ScalarUnion(dg.String, dg.Array(dg.String))
    return dg.Any
