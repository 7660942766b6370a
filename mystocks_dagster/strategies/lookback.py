"""The number of bars that a strategy looks back, written as arithmetic with its parameters."""

import ast
import operator
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"max": max, "min": min}


def bars_of(lookback: str | int, params: Mapping[str, Any]) -> int:
    """Return a lookback in bars.

    Args:
        lookback: A number, or arithmetic with numbers, names of parameters, `+`, `-`, `*`, `max` and `min`.
        params: The values of the parameters.

    Raises:
        ValueError: It is written otherwise, or its value is not a number from 0 on.

    Examples:
        >>> bars_of("2 * days + 1", {"days": 20})
        41
    """
    try:
        value = _value(ast.parse(str(lookback), mode="eval").body, params)
        bars = ceil(value)
    except (SyntaxError, TypeError, RecursionError):
        raise ValueError(f"lookback {lookback!r} is not arithmetic with parameters and whole numbers") from None
    if bars < 0:
        raise ValueError(f"lookback {lookback!r} is {bars}, which is below 0")
    return bars


def window_fault(lookback: str | int | None, params: Mapping[str, Any], least: int) -> tuple[str, str] | None:
    """Return the parameter that makes a lookback too short, and why it cannot be; None where the lookback is possible.

    Args:
        lookback: As in `bars_of`, or None.
        params: The values of the parameters.
        least: The least bars of a lookback that is a number of bars by itself: 1 for a window, as no indicator is of
            no bars, and 0 where this bar alone is enough. `n - 1` may be 0 in any case.
    """
    names = [node.id for node in ast.walk(ast.parse(str(lookback))) if isinstance(node, ast.Name)]
    small = next((name for name in names if _is_below(params.get(name), least)), None)
    if lookback is None or small is None:
        return None
    try:
        if bars_of(lookback, params) >= least:
            return None
    except ValueError as error:
        return small, f"{small} cannot be {params[small]}: {error}"
    return small, f"{small} cannot be {params[small]}: it is a number of bars"


def _is_below(value: Any, least: int) -> bool:
    return isinstance(value, int | float) and value < least


def _value(node: ast.expr, params: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            if name not in params:
                raise ValueError(f"lookback uses {name!r}, which is no parameter")
            return params[name]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left, params), _value(right, params))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS and arguments:
            return _FUNCTIONS[name](*(_value(argument, params) for argument in arguments))
    raise TypeError(ast.dump(node))
