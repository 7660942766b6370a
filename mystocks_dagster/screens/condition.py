"""The formula of a screen: one condition, and the values that explain it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mystocks_dagster.market.formulas.foresight import problems_of_foresight
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.problems import FormulaError, FormulaProblem
from mystocks_dagster.market.formulas.syntax import (
    Binary,
    Call,
    Expression,
    Formula,
    Name,
    Statement,
    Unary,
    walk,
)
from mystocks_dagster.screens.labels import label_of

#: The output that holds whether a symbol passes; no formula can have this name.
PASSES = "=PASSES"
#: Most values that explain a result.
_MOST_VALUES = 20
_NO_LATER_DAY = "A screen knows no later day. In a chart it may be used."
_LOGIC = {"AND", "OR"}
_COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
#: They have a value from their argument's first one on, and pass over bars on which it has none.
AVERAGES = frozenset({"EMA", "EXPMA", "SMA", "MEMA", "DMA"})
#: Columns that have a value on each bar.
_WITHOUT_GAPS = {"OPEN", "HIGH", "LOW", "CLOSE", "VOL", "AMOUNT"}
#: Functions whose arguments are compared with each other.
_COMPARING = {"CROSS", "LONGCROSS", "BETWEEN", "RANGE"}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A screen's formula, ready to be computed.

    Attributes:
        formula: The statements of the user, hidden, and the outputs `PASSES` and those of `values`.
        values: Label to the output that holds it: the named intermediates and the sides of comparisons.
        averaged: The outputs that hold what averages pass over where it has no value.
    """

    formula: Formula
    values: Mapping[str, str]
    averaged: tuple[str, ...]


def read_condition(text: str, name: str = "screen", parameters: Mapping[str, float] | None = None) -> Condition:
    """Return the condition that a formula states.

    Raises:
        FormulaError: The formula is wrong, has several outputs, or looks ahead; the message has line and column.
    """
    formula = parse_formula(text, name=name, parameters=dict(parameters or {}))
    if problems := [*_several_outputs(formula), *problems_of_foresight(formula, _NO_LATER_DAY)]:
        raise FormulaError(name, problems, text)
    result = formula.outputs[0]
    named = {line.name: line.expression for line in formula.statements if line.name}
    seen: dict[str, Expression] = {}
    for value in _values(result.expression, named):
        seen.setdefault(label_of(value), value)
    values = dict(list(seen.items())[:_MOST_VALUES])
    outputs = {f"={number}": value for number, value in enumerate(values.values())}
    averaged = {f"=averaged {number}": value for number, value in enumerate(_averaged(result.expression, named))}
    statements = (
        *(replace(line, hidden=True) for line in formula.statements if line.name),
        Statement(PASSES, result.expression),
        *(Statement(output, value) for output, value in (outputs | averaged).items()),
    )
    return Condition(
        formula=replace(formula, statements=statements),
        values=dict(zip(values, outputs, strict=True)),
        averaged=(*averaged,),
    )


def _several_outputs(formula: Formula) -> Iterator[FormulaProblem]:
    for line in formula.outputs[1:]:
        message = "a screen has one condition, and this is a second output"
        hint = "Write := for the lines that only prepare it, and join conditions with AND."
        yield FormulaProblem(line.position, message, hint)


def _values(expression: Expression, named: Mapping[str, Expression]) -> Iterator[Expression]:
    """Yield the parts of a condition whose values explain it, in the order of the text."""
    match expression:
        case Binary(operator=operator, left=left, right=right) if operator in _LOGIC:
            yield from _values(left, named)
            yield from _values(right, named)
        case Unary(operator="NOT", operand=operand):
            yield from _values(operand, named)
        case Binary(operator=operator, left=left, right=right) if operator in _COMPARISONS:
            yield from _series((left, right))
        case Call(function=function, arguments=arguments) if function in _COMPARING:
            yield from _series(arguments)
        case Name(name=name) if name in named:
            yield expression
            if _is_condition(named[name]):
                yield from _values(named[name], named)
        case _:
            yield from _series((expression,))


def _averaged(expression: Expression, named: Mapping[str, Expression]) -> list[Expression]:
    """Return what is averaged in the lines that are used, and may have gaps."""
    found: list[Expression] = []
    waiting, used = [expression], set[str]()
    while waiting:
        for part in walk(waiting.pop()):
            if isinstance(part, Name) and part.name in named and part.name not in used:
                used.add(part.name)
                waiting.append(named[part.name])
            elif isinstance(part, Call) and part.function in AVERAGES:
                argument = part.arguments[0]
                plain = isinstance(argument, Name) and argument.name in _WITHOUT_GAPS and argument.name not in named
                if not plain and argument not in found:
                    found.append(argument)
    return found


def _series(parts: tuple[Expression, ...]) -> Iterator[Expression]:
    """Yield the parts that are not just numbers, each after the named lines in it."""
    for part in parts:
        if any(isinstance(inner, (Name, Call)) for inner in walk(part)):
            yield part


def _is_condition(expression: Expression) -> bool:
    match expression:
        case Binary(operator=operator):
            return operator in _LOGIC or operator in _COMPARISONS
        case Unary(operator="NOT"):
            return True
        case Call(function=function):
            return function in _COMPARING
        case _:
            return False
