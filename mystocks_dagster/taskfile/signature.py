"""The signature of a task function: the parameter that takes `params`, and its model.

Used by the form in Dagster, the form in the pages, the checks of the file and the call itself. Does not import
pydantic: the process of a function with a plain dict starts without it.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from pydantic import BaseModel

#: Name of the parameter that takes the `TaskRun`; the first one with another name takes the task's params.
RUN = "run"


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """Return the function's signature; annotations that Python cannot resolve yet are not an error."""
    if sys.version_info < (3, 14):
        return inspect.signature(function)
    from annotationlib import Format  # ty: ignore[import-not-found]

    return inspect.signature(function, annotation_format=Format.FORWARDREF)


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the function's parameters, with annotations in text form resolved.

    Each annotation is resolved separately: one that only a type checker can resolve stays text, and the others do not.
    """
    names = _names(function)
    return [
        parameter.replace(annotation=_resolved(parameter.annotation, names))
        for parameter in signature(function).parameters.values()
    ]


def params_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """Return the parameter that takes the task's params: the first that is not `run`; None when there is none."""
    candidates = [parameter for parameter in parameters(function) if parameter.name != RUN]
    return next((parameter for parameter in candidates if parameter.kind is not parameter.VAR_KEYWORD), None)


def unknown_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """Return the first required parameter that no task gives; None for a function that a task can run."""
    given = (RUN, getattr(params_parameter(function), "name", None))
    others = [parameter for parameter in parameters(function) if parameter.name not in given]
    return next(filter(_required, others), None)


def params_model(function: Callable[..., Any]) -> "type[BaseModel] | None":
    """Return the pydantic model of the parameter that takes the params; None for the plain `params: dict`."""
    parameter = params_parameter(function)
    return parameter.annotation if parameter and _is_model(parameter.annotation) else None


def _required(parameter: inspect.Parameter) -> bool:
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not variadic and parameter.default is parameter.empty


def _is_model(annotation: Any) -> bool:
    pydantic = sys.modules.get("pydantic")  # imported by any module that defines a model
    return pydantic is not None and inspect.isclass(annotation) and issubclass(annotation, pydantic.BaseModel)


def _resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation
    holder = SimpleNamespace(__annotations__={"annotation": annotation})
    try:
        return get_type_hints(holder, globalns=dict(names))["annotation"]
    except (NameError, AttributeError, SyntaxError, TypeError):  # for the type checker only, or not a type
        return annotation


def _names(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the global names of the module that defines the function."""
    written = inspect.unwrap(function)
    while isinstance(written, functools.partial):
        written = inspect.unwrap(written.func)
    return getattr(written, "__globals__", None) or getattr(type(written).__call__, "__globals__", {})
