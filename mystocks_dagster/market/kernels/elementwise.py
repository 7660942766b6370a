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
def _quotients(x, y):
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = x[i] / y[i] if y[i] != 0.0 else np.nan
    return out


def divide(x: Values, y: Values) -> Any:
    """Return x / y; no value where y is 0."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return _quotients(x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(y, 0), np.nan, np.divide(x, y)) if np.any(np.equal(y, 0)) else np.divide(x, y)


def truth(x: Values) -> np.ndarray:
    """Return whether each value is a true condition: it exists and is not 0."""
    values = np.asarray(x)
    return values if values.dtype == bool else (values != 0) & ~np.isnan(values)


def _both(x: Values, y: Values) -> np.ndarray:
    return truth(x) & truth(y)


def _either(x: Values, y: Values) -> np.ndarray:
    return truth(x) | truth(y)


def _negated(x: Values) -> np.ndarray:
    return ~truth(x)


def _chosen(condition: Values, x: Values, y: Values) -> np.ndarray:
    return np.where(truth(condition), x, y)


def _negative(x: Values) -> np.ndarray:
    return np.negative(numbers(x))


def numbers(x: Values) -> Any:
    """Return conditions as 1 and 0, and anything else as it is."""
    return x.astype(np.float64) if isinstance(x, np.ndarray | np.generic) and x.dtype == bool else x


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*values: Values) -> Any:
        return function(*(numbers(value) for value in values))

    return run


def _elementwise(name: str, kinds: str, run: Callable[..., Any]) -> Primitive:
    return Primitive(name, kinds, run, elementwise=True)


#: Operators and functions; the operators have the names that the parser gives them.
PRIMITIVES = (
    _elementwise("+", "xx", _of_numbers(np.add)),
    _elementwise("-", "xx", _of_numbers(np.subtract)),
    _elementwise("*", "xx", _of_numbers(np.multiply)),
    _elementwise("/", "xx", _of_numbers(divide)),
    _elementwise(">", "xx", np.greater),
    _elementwise("<", "xx", np.less),
    _elementwise(">=", "xx", np.greater_equal),
    _elementwise("<=", "xx", np.less_equal),
    _elementwise("=", "xx", np.equal),
    _elementwise("<>", "xx", lambda x, y: np.less(x, y) | np.greater(x, y)),
    _elementwise("AND", "xx", _both),
    _elementwise("OR", "xx", _either),
    _elementwise("NOT", "x", _negated),
    _elementwise("NEGATE", "x", _negative),
    _elementwise("DRAWNULL", "x", lambda x: np.full(np.shape(x), np.nan)),
    _elementwise("IF", "xxx", _chosen),
    _elementwise("MAX", "xx", _of_numbers(np.maximum)),
    _elementwise("MIN", "xx", _of_numbers(np.minimum)),
    _elementwise("ABS", "x", _of_numbers(np.absolute)),
)
