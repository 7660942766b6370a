"""The text of an expression, with the fewest brackets: the names of a screen's values."""

from collections.abc import Mapping

from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Name, Number, Text, Unary

#: How tightly an operator binds.
_STRENGTH: Mapping[str, int] = {
    "OR": 1,
    "AND": 2,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/"), 5),
}
_WORDS = {"OR", "AND"}
#: Operators of which a chain is computed from the left, so that brackets on the right change it.
_FROM_THE_LEFT = {"-", "/"}
#: Operators that the language does not chain.
_ALONE = {"=", "<>", "<", "<=", ">", ">="}


def label_of(expression: Expression) -> str:
    """Return an expression as people write it: without the columns that a function takes by itself.

    Examples:
        >>> label_of(Binary("*", Number(2.0), Call("MA", (Name("VOL"), Number(5.0)))))
        '2*MA(VOL,5)'
        >>> label_of(Binary("-", Name("A"), Binary("-", Name("B"), Number(0.5))))
        'A-(B-0.5)'
    """
    match expression:
        case Number(value=value):
            return f"{value:.15g}"
        case Name(name=name):
            return name
        case Text(value=value):
            return f"'{value}'"
        case Call(function=function, arguments=arguments):
            written = arguments[len(FUNCTIONS[function].implied) :]
            return f"{function}({','.join(map(label_of, written))})" if written else function
        case Unary(operator=operator, operand=operand):
            inner = label_of(operand)
            inner = f"({inner})" if isinstance(operand, Binary) else inner
            return f"NOT {inner}" if operator == "NOT" else f"{operator}{inner}"
        case Binary(operator=operator, left=left, right=right):
            strength = _STRENGTH[operator]
            sign = f" {operator} " if operator in _WORDS else operator
            before = strength + 1 if operator in _ALONE else strength
            after = strength + 1 if operator in _FROM_THE_LEFT | _ALONE else strength
            return f"{_part(left, before)}{sign}{_part(right, after)}"


def _part(expression: Expression, strength: int) -> str:
    text = label_of(expression)
    weaker = isinstance(expression, Binary) and _STRENGTH[expression.operator] < strength
    return f"({text})" if weaker else text
