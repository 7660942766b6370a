"""Values that are known before any bar is read: numbers, parameters, and what is computed from them."""

import math
import operator
from collections.abc import Callable, Container, Mapping

from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Name, Number, Unary, children

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
    "IF": lambda condition, met, otherwise: met if condition else otherwise,
    "EXP": math.exp,
    "LN": math.log,
    "LOG": math.log10,
    "ROUND": lambda value: math.copysign(math.floor(abs(value) + 0.5), value),
}

#: Functions that have the same value on all bars if their arguments have.
_OF_ONE_BAR = {name for name, function in FUNCTIONS.items() if function.group == "arithmetic"} | {
    "IF", "IFF", "IFN", "BETWEEN", "RANGE", "ISVALID",
}  # fmt: skip


def is_constant(expression: Expression, names: Container[str]) -> bool:
    """Return whether an expression is the same for all bars, whatever its value.

    Args:
        expression: Any expression.
        names: The parameters and the earlier statements that are the same for all bars.
    """
    match expression:
        case Name(name=name):
            return name in names
        case Call(function=function):
            alike = function in _OF_ONE_BAR
        case _:
            alike = True
    return alike and all(is_constant(part, names) for part in children(expression))


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
