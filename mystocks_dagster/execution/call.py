"""Find a task's function and call it with the arguments that its signature takes."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.excerpts import sentence
from mystocks_dagster.taskfile.secrets import is_secret
from mystocks_dagster.taskfile.signature import RUN, parameters, params_model, params_parameter, unknown_parameter

_FORMS = "fn(params: dict) or fn(params: SomeModel, run: TaskRun); either parameter may be left out"


def find(module: str, function: str) -> Callable[..., Any]:
    """Import the module and return its function.

    Raises:
        UnknownName: There is no such module or function.
    """
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UnknownName(f"no module {module!r} on the Python path or beside the task file.") from None
        raise
    value = getattr(home, function, None)
    if not callable(value):
        raise UnknownName(f"module {module!r} ({home.__file__}) has no function {function!r}.")
    return value


def call(function: Callable[..., Any], params: Mapping[str, Any], open_run: Callable[[], Any]) -> Any:
    """Call a task's function, await its result if needed, and return the result.

    Args:
        function: Takes `params` (a dict, or a pydantic model by its annotation), `run`, both or neither.
        params: The values, as JSON holds them.
        open_run: Creates the `TaskRun`; called only when the function takes one.

    Raises:
        InvalidParams: The parameters do not fit the function.
    """
    positional, keyword = _arguments(function, params, open_run)
    returned = function(*positional, **keyword)
    if not inspect.isawaitable(returned):
        return returned
    import asyncio  # a third of the process's start-up time: only for functions that need it

    return asyncio.run(_await(returned))


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _arguments(
    function: Callable[..., Any], params: Mapping[str, Any], open_run: Callable[[], Any]
) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    keyword: dict[str, Any] = {}
    if unknown := unknown_parameter(function):
        raise InvalidParams(f"{_name(function)} has a parameter {unknown.name!r}, which no task gets; write {_FORMS}.")
    params_argument = params_parameter(function)
    if params and not params_argument:
        raise InvalidParams(f"{_name(function)} takes no parameters, but the task has {', '.join(params)}.")
    for parameter in parameters(function):
        if parameter.name == RUN and parameter.kind is not parameter.VAR_KEYWORD:
            value = open_run()
        elif params_argument and parameter.name == params_argument.name:
            value = _validated(function, params)
        else:
            continue
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            positional.append(value)
        else:
            keyword[parameter.name] = value
    return positional, keyword


def _validated(function: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    model = params_model(function)
    if model is None:
        return dict(params)
    from pydantic import ValidationError  # the function's module has imported it, or there would be no model

    try:
        return model.model_validate(params)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems = "; ".join(_problem(dict(detail), model) for detail in details)
        raise InvalidParams(f"{_name(function)}: {sentence(problems)}") from None


def _problem(detail: dict[str, Any], model: Any) -> str:
    """Return pydantic's error in one line, without the value where it may be a secret."""
    where = ".".join(map(str, ("params", *detail["loc"])))
    if detail["type"] == "extra_forbidden":
        return f"{where} is unknown; allowed: {', '.join(model.model_fields)}"
    value = detail["input"]
    secret = any(map(is_secret, detail["loc"]))
    hidden = detail["type"] == "missing" or secret or not isinstance(value, (str, int, float))
    return f"{where}: {detail['msg']}" + ("" if hidden else f", not {value!r:.80}")


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
