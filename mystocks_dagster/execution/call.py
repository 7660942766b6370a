"""Find a task's function and give it what its signature asks for."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.taskfile.secrets import is_secret

_FORMS = "fn(params: dict), fn(params: SomeModel, run: TaskRun), or the same with fewer"


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
    found = getattr(home, function, None)
    if not callable(found):
        raise UnknownName(f"module {module!r} ({home.__file__}) has no function {function!r}.")
    return found


def call(function: Callable[..., Any], params: Mapping[str, Any], open_run: Callable[[], Any]) -> Any:
    """Call a task's function, await it when it must be, and return what it returned.

    Args:
        function: Takes `params` (a dict, or a pydantic model by its annotation), `run`, both or neither.
        params: The values, as JSON holds them.
        open_run: Makes the `TaskRun`; called only when the function takes one.

    Raises:
        InvalidParams: The parameters do not fit the function.
    """
    positional, keyword = _arguments(function, params, open_run)
    returned = function(*positional, **keyword)
    if not inspect.isawaitable(returned):
        return returned
    import asyncio  # a third of the process's start: only for those that need it

    return asyncio.run(_await(returned))


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _arguments(
    function: Callable[..., Any], params: Mapping[str, Any], open_run: Callable[[], Any]
) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    keyword: dict[str, Any] = {}
    takes_params = False
    for parameter in _signature(function):
        if parameter.kind is parameter.VAR_KEYWORD or (parameter.kind is parameter.VAR_POSITIONAL and takes_params):
            continue
        if parameter.name == "run":
            value = open_run()
        elif not takes_params:
            value, takes_params = _validated(function, parameter.annotation, params), True
        elif parameter.default is not parameter.empty:
            continue
        else:
            raise InvalidParams(
                f"{_name(function)} asks for {parameter.name!r}, which no task is given; write {_FORMS}."
            )
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            positional.append(value)
        else:
            keyword[parameter.name] = value
    if params and not takes_params:
        raise InvalidParams(f"{_name(function)} takes no parameters, but the task has {', '.join(params)}.")
    return positional, keyword


def _signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError:  # a name of some other annotation that exists only for the type checker
        signature = inspect.signature(function)
    return list(signature.parameters.values())


def _validated(function: Callable[..., Any], annotation: Any, params: Mapping[str, Any]) -> Any:
    if not hasattr(annotation, "model_validate"):
        return dict(params)
    from pydantic import ValidationError  # the function's module has imported it, or there would be no model

    try:
        return annotation.model_validate(params)
    except ValidationError as error:
        problems = "; ".join(
            _problem(dict(item), annotation) for item in error.errors(include_url=False, include_context=False)
        )
        raise InvalidParams(f"{_name(function)}: {problems}.") from None


def _problem(item: dict[str, Any], model: Any) -> str:
    """Return one line without the value where the value may be a secret."""
    where = ".".join(map(str, ("params", *item["loc"])))
    if item["type"] == "extra_forbidden":
        return f"{where} is unknown; it takes {', '.join(model.model_fields)}"
    value = item["input"]
    hidden = item["type"] == "missing" or any(map(is_secret, item["loc"])) or not isinstance(value, (str, int, float))
    return f"{where}: {item['msg']}" + ("" if hidden else f", not {value!r:.80}")


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}"
