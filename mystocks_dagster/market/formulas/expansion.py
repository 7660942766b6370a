"""Functions that are defined by others, and columns that functions use without naming them, written out in the tree."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from mystocks_dagster.market.formulas.bars import DEFINED
from mystocks_dagster.market.formulas.constants import constant
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.statements import StatementParser
from mystocks_dagster.market.formulas.syntax import Binary, Call, Expression, Formula, Name, Number, Unary
from mystocks_dagster.market.formulas.tokens import tokenize

_LEVELS = ("OPEN", "HIGH", "LOW", "CLOSE")


def expand(formula: Formula) -> Formula:
    """Return a formula that holds only functions computed by themselves; it must have been checked."""
    known = {parameter.name: parameter.default for parameter in formula.parameters}
    statements = []
    for statement in formula.statements:
        expression = _expanded(_with_whole_numbers(statement.expression, known), {})
        statements.append(replace(statement, expression=expression))
        value = constant(statement.expression, known)
        if statement.name and value is not None:
            known[statement.name] = value
    return replace(formula, statements=tuple(statements))


def _with_whole_numbers(expression: Expression, known: Mapping[str, float]) -> Expression:
    """Return an expression with whole numbers as windows, and columns for the levels 0, 1, 2 and 3, as in ZIG(3,5)."""
    match expression:
        case Unary(operand=operand):
            return replace(expression, operand=_with_whole_numbers(operand, known))
        case Binary(left=left, right=right):
            left, right = _with_whole_numbers(left, known), _with_whole_numbers(right, known)
            return replace(expression, left=left, right=right)
        case Call(function=function, arguments=arguments):
            kinds = [argument.kind for argument in FUNCTIONS[function].arguments]
            values = (_argument(kind, value, known) for kind, value in zip(kinds, arguments, strict=True))
            return replace(expression, arguments=tuple(values))
        case _:
            return expression


def _argument(kind: str, expression: Expression, known: Mapping[str, float]) -> Expression:
    value = constant(expression, known)
    if kind == "level" and value is not None:
        return Name(_LEVELS[int(value)], expression.position)
    if kind == "window" and value is not None and value != int(value):
        if constant(expression, {}) is not None:  # of no parameter, whose value may be another
            return Number(float(int(value)), expression.position)
        return Call("INTPART", (expression,), expression.position)
    return _with_whole_numbers(expression, known)


def _expanded(expression: Expression, arguments: Mapping[str, Expression]) -> Expression:
    """Return an expression with names of `arguments` replaced by their values."""
    match expression:
        case Name(name=name, position=position):
            if name in arguments:
                return arguments[name]
            if name in DEFINED:
                return _expanded(_definition(DEFINED[name]), {})
            return _expanded(Call(name, (), position), {}) if _has_no_arguments(name) else expression
        case Unary(operator=operator, operand=operand, position=position):
            return Unary(operator, _expanded(operand, arguments), position)
        case Binary(operator=operator, left=left, right=right, position=position):
            return Binary(operator, _expanded(left, arguments), _expanded(right, arguments), position)
        case Call():
            return _call(expression, arguments)
        case _:
            return expression


def _has_no_arguments(name: str) -> bool:
    return name in FUNCTIONS and not FUNCTIONS[name].arguments


def _call(call: Call, arguments: Mapping[str, Expression]) -> Expression:
    function = FUNCTIONS[call.function]
    values = tuple(_expanded(value, arguments) for value in call.arguments)
    if function.definition is None:
        implied = tuple(Name(column, call.position) for column in function.implied)
        return Call(call.function, implied + values, call.position)
    names = (argument.name for argument in function.arguments)
    return _expanded(_definition(function.definition), dict(zip(names, values, strict=True)))


@cache
def _definition(text: str) -> Expression:
    tokens, _ = tokenize(text)
    statements, _ = StatementParser(tokens).parse()
    return statements[0].expression
