"""What a formula that can be read may still have wrong: names, functions, arguments, windows, and no output."""

import math
from collections.abc import Iterable, Iterator

from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.formulas.bars import (
    ALIASES,
    BARS,
    DEFINED,
    NOT_HELD,
    REMEDIES,
    STANDARD_ALIASES,
    canonical,
)
from mystocks_dagster.market.formulas.constants import constant, is_constant
from mystocks_dagster.market.formulas.drawing import DRAWING_FUNCTIONS
from mystocks_dagster.market.formulas.function import Argument
from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.problems import FormulaProblem
from mystocks_dagster.market.formulas.syntax import (
    Binary,
    Call,
    Expression,
    Formula,
    Name,
    Number,
    Parameter,
    Position,
    Statement,
    Text,
    walk,
)

_FLOAT = Call("FINANCE", (Number(7),))
_WITHOUT_ARGUMENTS = tuple(name for name, function in FUNCTIONS.items() if not function.arguments)


def check(formula: Formula) -> list[FormulaProblem]:
    """Return the problems of a formula, in the order of its statements."""
    return list(_Check(formula).problems())


def unused(formula: Formula, header: Iterable[Parameter], given: Iterable[str]) -> list[FormulaProblem]:
    """Return a problem for each parameter that is given from outside, and neither in the header nor in the formula."""
    expressions = [*(statement.expression for statement in formula.statements), *formula.drawings]
    words = {part.name for expression in expressions for part in walk(expression) if isinstance(part, Name)}
    words |= {parameter.name for parameter in header}
    return [
        FormulaProblem(Position(), f"parameter {name} is given, and the formula does not use it", "Leave it out.")
        for name in dict.fromkeys(map(str.upper, given))
        if name not in words
    ]


def _headless(formula: Formula) -> dict[str, str]:
    """Return the statements such as `N(5,1,100);` that are a header without INPUT, by their names.

    The name is no function, and stands without brackets elsewhere.
    """
    words = {part.name for line in formula.statements for part in walk(line.expression) if isinstance(part, Name)}
    found: dict[str, str] = {}
    for line in formula.statements:
        match line:
            case Statement(name=None, expression=Call(function=name, arguments=arguments)):
                numbers = [constant(argument, {}) for argument in arguments]
                if name not in FUNCTIONS and name in words and numbers and None not in numbers:
                    found[name] = f"{name}({','.join(f'{number:g}' for number in numbers)})"
    return found


def _not_held(name: str) -> tuple[str, str]:
    reason = NOT_HELD[name]
    return f"{name}: {reason}", REMEDIES.get(reason, "")


class _Check:
    """One pass over the statements; what is known grows with each."""

    def __init__(self, formula: Formula) -> None:
        self._formula = formula
        self._later = {statement.name: statement.position for statement in reversed(formula.statements)}
        self._headless = _headless(formula)
        self._parameters = [*(parameter.name for parameter in formula.parameters), *self._headless]
        self._constants = {parameter.name: parameter.default for parameter in formula.parameters}
        self._alike = {*self._constants, *self._headless}
        self._defined: dict[str, Position] = {}

    def problems(self) -> Iterator[FormulaProblem]:
        for statement in self._formula.statements:
            yield from self._expression(statement)
            yield from self._name(statement)
        if not self._formula.outputs:
            yield self._no_output()

    def _no_output(self) -> FormulaProblem:
        last = self._formula.statements[-1].position if self._formula.statements else Position()
        if not self._formula.statements:
            hint = "Its statements only draw." if self._formula.drawings else "Write NAME:expression;"
        else:
            hint = "Statements with := are hidden; write at least one with :"
        return FormulaProblem(last, "the formula has no output", hint)

    def _name(self, statement: Statement) -> Iterator[FormulaProblem]:
        name = statement.name
        if name is None:
            return
        width = len(name)
        if name in BARS or name in STANDARD_ALIASES or name in DEFINED:
            yield FormulaProblem(statement.position, f"{name} is a column of the bars", "Choose another name.", width)
        elif name in _WITHOUT_ARGUMENTS:
            yield FormulaProblem(statement.position, f"{name} is a function", "Choose another name.", width)
        elif name in self._parameters:
            yield FormulaProblem(statement.position, f"{name} is a parameter", "Choose another name.", width)
        elif name in self._defined:
            message = f"{name} is defined twice, first in line {self._defined[name].line}"
            yield FormulaProblem(statement.position, message, "Choose another name.", width)
        self._defined.setdefault(name, statement.position)
        if is_constant(statement.expression, self._alike):
            self._alike.add(name)
        value = constant(statement.expression, self._constants)
        if value is not None:
            self._constants[name] = value

    def _expression(self, statement: Statement) -> Iterator[FormulaProblem]:
        # What is not a function here may take texts, so they are no second mistake.
        calls = (
            part for part in walk(statement.expression) if isinstance(part, Call) and part.function not in FUNCTIONS
        )
        excused = {argument.position for call in calls for argument in call.arguments}
        for part in walk(statement.expression):
            match part:
                case Name():
                    yield from self._value(part, statement)
                case Call():
                    yield from self._call(part)
                case Text(value=value, position=position) if position not in excused:
                    message = "a text is not a value"
                    yield FormulaProblem(part.position, message, "Texts belong to DRAWTEXT.", len(value) + 2)

    def _value(self, name: Name, statement: Statement) -> Iterator[FormulaProblem]:
        word = name.name
        known = word in BARS or word in DEFINED or word in _WITHOUT_ARGUMENTS or word in self._parameters
        if known or word in self._defined:
            return
        yield FormulaProblem(name.position, *self._unknown_name(word, statement), len(word))

    def _unknown_name(self, word: str, statement: Statement) -> tuple[str, str]:
        if word == statement.name:
            return (
                f"{word} refers to itself",
                "For a value of the bar before, use a function such as SMA or DMA.",
            )
        if word in self._later:
            return f"{word} is used before its definition in line {self._later[word].line}", "Move the definition up."
        if word in NOT_HELD:
            return _not_held(word)
        if word in FUNCTIONS:
            return f"{word} is a function", f"Write {FUNCTIONS[word].signature}."
        match statement.expression:
            case Binary(operator="=", left=Name(name=left)) if statement.name is None and left == word:
                return f"{word} is not defined", f"= compares; to define it, write {word}:=..."
        candidates = [*self._defined, *self._parameters, *BARS, *ALIASES, *DEFINED, *_WITHOUT_ARGUMENTS]
        return f"{word} is not defined", suggest(word, candidates, allowed="Known here")

    def _call(self, call: Call) -> Iterator[FormulaProblem]:
        name, width = call.function, len(call.function)
        function = FUNCTIONS.get(name)
        if function is None:
            yield FormulaProblem(call.position, *self._unknown_function(call), width)
            return
        if len(call.arguments) != len(function.arguments):
            expected = len(function.arguments)
            message = f"{name} takes {expected} arguments, not {len(call.arguments)}"
            if expected == 1:
                message = f"{name} takes one argument, not {len(call.arguments)}"
            yield FormulaProblem(call.position, message, f"Write {function.signature}.", width)
            return
        for argument, value in zip(function.arguments, call.arguments, strict=True):
            if argument.kind != "series" or argument.low is not None:
                yield from self._argument(call, argument, value)

    def _without_number(self, call: Call, argument: Argument, value: Expression) -> Iterator[FormulaProblem]:
        name, function = argument.name, call.function
        hint = "Use a number or a parameter."
        if isinstance(value, Text) or self._headless:
            return
        if is_constant(value, self._alike):
            yield FormulaProblem(value.position, f"the {name} of {function} cannot be computed", hint)
        elif not argument.may_vary:
            yield FormulaProblem(value.position, f"the {name} of {function} must be the same for all bars", hint)

    def _unknown_function(self, call: Call) -> tuple[str, str]:
        name = call.function
        if name in self._headless:
            return f"there is no function {name}", f"Write INPUT: {self._headless[name]};"
        if call == _FLOAT:
            return "FINANCE(7) is the shares of the float", "Write CAPITAL."
        if name in NOT_HELD:
            return _not_held(name)
        if name in DRAWING_FUNCTIONS:
            return f"{name} draws and has no value", "Write it as a statement of its own."
        if canonical(name) in BARS or name in self._defined or name in self._parameters:
            return f"{name} is not a function", f"Write {name} without brackets, or an operator before (."
        return f"there is no function {name}", suggest(name, FUNCTIONS, allowed="Functions")

    def _argument(self, call: Call, argument: Argument, value: Expression) -> Iterator[FormulaProblem]:
        number = constant(value, self._constants)
        name, function = argument.name, call.function
        if number is None:
            if argument.kind != "series":
                yield from self._without_number(call, argument, value)
            return
        if argument.of and (problem := self._part(call, argument, number, value)):
            yield problem
        low, high = argument.low, argument.high
        whole = int(number) if argument.kind == "window" else number
        if (low is not None and whole < low) or (high is not None and whole > high):
            limits = f"Allowed: {low:,g} to {high:,g}." if high is not None else f"Allowed: {low:g} or more."
            yield FormulaProblem(value.position, f"the {name} of {function} cannot be {number:g}", limits)

    def _part(self, call: Call, argument: Argument, number: float, value: Expression) -> FormulaProblem | None:
        """Return the problem of an argument that must be above 0, and not above another one."""
        names = [other.name for other in FUNCTIONS[call.function].arguments]
        whole = constant(call.arguments[names.index(argument.of)], self._constants)
        most = math.inf if whole is None else int(whole)
        if 0 < number <= most:
            return None
        hint = f"Allowed: above 0, up to {argument.of}."
        if whole is not None:
            hint = f"Allowed: above 0, up to {argument.of}, which is {most:g}."
        message = f"the {argument.name} of {call.function} cannot be {number:g}"
        return FormulaProblem(value.position, message, hint)
