"""Primitives that look at one row only: numpy computes them, except the division.

A comparison with NaN is false, as in 通达信: a condition on a value that does not exist is not met.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mystocks_dagster.market.kernels.compiler import compiled
from mystocks_dagster.market.kernels.primitive import Primitive

Values = np.ndarray | float


@compiled
def _quotients(x, y, out):
    for i in range(len(x)):
        out[i] = x[i] / y[i] if y[i] != 0.0 else np.nan


def divide(x: Values, y: Values, out: np.ndarray | None = None) -> Any:
    """Return x / y; no value where y is 0."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        out = np.empty(len(x)) if out is None else out
        _quotients(x, y, out)
        return out
    with np.errstate(divide="ignore", invalid="ignore"):
        quotients = np.divide(x, y, out=out)
    none = np.equal(y, 0)
    return np.where(none, np.nan, quotients) if np.any(none) else quotients


def truth(x: Values) -> np.ndarray:
    """Return whether each value is a true condition: it exists and is not 0."""
    values = np.asarray(x)
    return values if values.dtype == bool else (values != 0) & ~np.isnan(values)


def _of_conditions(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Values, out: np.ndarray | None = None) -> Any:
        return function(*(truth(value) for value in values), out=out)

    return run


def _chosen(condition: Values, x: Values, y: Values, out: np.ndarray | None = None) -> np.ndarray:
    if out is None:
        return np.where(truth(condition), x, y)
    np.copyto(out, y)
    np.copyto(out, x, where=truth(condition))
    return out


def _nothing(x: Values, out: np.ndarray | None = None) -> np.ndarray:
    out = np.empty(np.shape(x)) if out is None else out
    out[...] = np.nan
    return out


def _different(x: Values, y: Values) -> np.ndarray:
    return np.less(x, y) | np.greater(x, y)


def numbers(x: Values) -> Any:
    """Return conditions as 1 and 0, and anything else as it is."""
    return x.astype(np.float64) if isinstance(x, np.ndarray | np.generic) and x.dtype == bool else x


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Values, out: np.ndarray | None = None) -> Any:
        return function(*(numbers(value) for value in values), out=out)

    return run


def _number(name: str, kinds: str, run: Callable[..., Any]) -> Primitive:
    return Primitive(name, kinds, run, elementwise=True, result=float)


def _condition(name: str, kinds: str, run: Callable[..., Any]) -> Primitive:
    return Primitive(name, kinds, run, elementwise=True, result=bool)


#: Operators and functions; the operators have the names that the parser gives them.
PRIMITIVES = (
    _number("+", "xx", _of_numbers(np.add)),
    _number("-", "xx", _of_numbers(np.subtract)),
    _number("*", "xx", _of_numbers(np.multiply)),
    _number("/", "xx", _of_numbers(divide)),
    _condition(">", "xx", np.greater),
    _condition("<", "xx", np.less),
    _condition(">=", "xx", np.greater_equal),
    _condition("<=", "xx", np.less_equal),
    _condition("=", "xx", np.equal),
    Primitive("<>", "xx", _different, elementwise=True),
    _condition("AND", "xx", _of_conditions(np.logical_and)),
    _condition("OR", "xx", _of_conditions(np.logical_or)),
    _condition("NOT", "x", _of_conditions(np.logical_not)),
    _number("NEGATE", "x", _of_numbers(np.negative)),
    _number("DRAWNULL", "x", _nothing),
    _number("IF", "xxx", _chosen),
    _number("MAX", "xx", _of_numbers(np.maximum)),
    _number("MIN", "xx", _of_numbers(np.minimum)),
    _number("ABS", "x", _of_numbers(np.absolute)),
)
