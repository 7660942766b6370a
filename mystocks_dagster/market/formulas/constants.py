"""Values that are known before any bar is read: numbers, parameters, and what is computed from them."""

import math
import operator
from collections.abc import Callable, Mapping

from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Name, Number, Unary

_OPERATORS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "AND": lambda left, right: bool(left) and bool(right),
    "OR": lambda left, right: bool(left) or bool(right),
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "MAX": max,
    "MIN": min,
    "ABS": abs,
    "INTPART": math.trunc,
    "FLOOR": math.floor,
    "CEILING": math.ceil,
    "SQRT": math.sqrt,
    "POW": math.pow,
    "MOD": math.fmod,
    "ROUND": lambda value: math.copysign(math.floor(abs(value) + 0.5), value),
}


def constant(expression: Expression, known: Mapping[str, float]) -> float | None:
    """Return the value of an expression that is the same for all bars, or None.

    Args:
        expression: Any expression.
        known: The values of parameters and of earlier constant statements.

    Examples:
        >>> constant(Binary("*", Number(2), Name("N")), {"N": 5})
        10.0
        >>> constant(Name("CLOSE"), {}) is None
        True
    """
    match expression:
        case Number(value=value):
            return value
        case Name(name=name):
            return known.get(name)
        case Unary(operator=sign, operand=operand):
            return _computed(operator.neg if sign == "-" else operator.not_, (operand,), known)
        case Binary(operator=symbol, left=left, right=right):
            return _computed(_OPERATORS[symbol], (left, right), known)
        case Call(function=function, arguments=arguments) if function in _FUNCTIONS:
            return _computed(_FUNCTIONS[function], arguments, known)
    return None


def _computed(
    function: Callable[..., float], operands: tuple[Expression, ...], known: Mapping[str, float]
) -> float | None:
    values = [constant(operand, known) for operand in operands]
    if not values or any(value is None for value in values):
        return None
    try:
        result = float(function(*values))
    except (ArithmeticError, ValueError, TypeError):
        return None
    return result if math.isfinite(result) else None
