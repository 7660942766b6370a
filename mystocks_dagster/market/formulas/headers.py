"""Parameters: the header that formulas are pasted with, `INPUT: N(12,1,100), M(9,1,50);`, and values from outside."""

import math
from collections.abc import Mapping, Sequence

from mystocks_dagster.market.formulas.bars import ALIASES, BARS
from mystocks_dagster.market.formulas.problems import FormulaProblem
from mystocks_dagster.market.formulas.syntax import Parameter, Position
from mystocks_dagster.market.formulas.tokens import Token

_HEADERS = ("INPUT", "PARAM", "PARAMS", "PARAMETER", "参数")
_FORM = "Write INPUT: N(default,low,high);"


def parse_header(tokens: Sequence[Token]) -> tuple[list[Parameter], list[Token], list[FormulaProblem]]:
    """Read the headers at the beginning of a formula.

    Returns:
        The parameters, the words after the headers, and the problems.
    """
    parameters: list[Parameter] = []
    problems: list[FormulaProblem] = []
    rest = list(tokens)
    while _is_header(rest):
        end = next(index for index, token in enumerate(rest) if token.value == ";" or token.kind == "end")
        problems.extend(_read(rest[2:end], rest[end], parameters))
        rest = rest[end + 1 :] if rest[end].kind != "end" else rest[end:]
    return parameters, rest, problems


def _is_header(tokens: Sequence[Token]) -> bool:
    return len(tokens) > 1 and tokens[0].value in _HEADERS and tokens[1].value in (":", ":=")


def _read(words: Sequence[Token], end: Token, parameters: list[Parameter]) -> list[FormulaProblem]:
    """Read `N(12,1,100),M(9,1,50)` into `parameters`."""
    index = 0
    while index < len(words):
        close = next((place for place in range(index, len(words)) if words[place].value == ")"), None)
        if close is None or words[index].kind != "name" or words[index + 1].value != "(":
            return [_problem(words[index], f"{words[index]} does not begin a parameter", _form(words[index:]))]
        numbers = _numbers(words[index + 2 : close])
        if numbers is None or not 1 <= len(numbers) <= 4:
            return [_problem(words[index], f"the values of {words[index].value} are not numbers", _FORM)]
        problem = _declare(words[index], numbers, parameters)
        if problem:
            return [problem]
        index = close + 1
        if index < len(words) and words[index].value == ",":
            index += 1
    return [] if words else [_problem(end, "the header names no parameter", _FORM)]


def _form(words: Sequence[Token]) -> str:
    """Return how a parameter is written; one in 通达信's words, `N 5 1 100` or `N 1 100 5`, with its numbers."""
    values = [float(word.value) for word in words[1:4] if word.kind == "number"]
    if len(values) < 3 or words[0].kind != "name":
        return _FORM
    default, low, high = values if values[1] <= values[0] <= values[2] else (values[2], *values[:2])
    return f"Write INPUT: {words[0].value}({default:g},{low:g},{high:g});" if low <= default <= high else _FORM


def _numbers(words: Sequence[Token]) -> list[float] | None:
    """Return numbers separated by commas; None for anything else."""
    numbers: list[float] = []
    sign = 1.0
    expects_number = True
    for word in words:
        if expects_number and word.kind == "number":
            numbers.append(sign * float(word.value))
            expects_number, sign = False, 1.0
        elif expects_number and word.value == "-" and sign > 0:
            sign = -1.0
        elif not expects_number and word.value == ",":
            expects_number = True
        else:
            return None
    return None if expects_number else numbers


def _declare(word: Token, numbers: Sequence[float], parameters: list[Parameter]) -> FormulaProblem | None:
    default = numbers[0]
    low = numbers[1] if len(numbers) > 1 else None
    high = numbers[2] if len(numbers) > 2 else None
    parameter = Parameter(word.value, default, low, high, word.position)
    if _out_of_bounds(parameter):
        return _problem(
            word, f"the default {default:g} of {word.value} is out of bounds", "The order is default, low, high."
        )
    if any(word.value == earlier.name for earlier in parameters):
        return _problem(word, f"parameter {word.value} is declared twice", "")
    if problem := _reserved(word.value, word.position):
        return problem
    parameters.append(parameter)
    return None


def _reserved(name: str, position: Position) -> FormulaProblem | None:
    if name not in BARS and name not in ALIASES:
        return None
    return FormulaProblem(position, f"{name} is a column of the bars", "Choose another name.", len(name))


def _number(value: float) -> float:
    """Return a number from outside; one beyond all floats, as JSON and YAML may have, is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def bind(
    declared: Sequence[Parameter], values: Mapping[str, float]
) -> tuple[tuple[Parameter, ...], list[FormulaProblem]]:
    """Return the parameters with the values given from outside, and what is wrong with these."""
    problems: list[FormulaProblem] = []
    given: set[str] = set()
    bound = {parameter.name: parameter for parameter in declared}
    for name, value in values.items():
        upper = name.upper()
        if upper in given:
            problems.append(FormulaProblem(Position(), f"parameter {upper} is given twice", "Keep one of the two."))
        given.add(upper)
        known = bound.get(upper, Parameter(upper, value))
        bound[upper] = Parameter(upper, _number(value), known.low, known.high, known.position)
        problems.extend(_out_of_bounds(bound[upper]))
        if problem := _reserved(upper, known.position):
            problems.append(problem)
    return tuple(bound.values()), problems


def _out_of_bounds(parameter: Parameter) -> list[FormulaProblem]:
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    if math.isfinite(parameter.default) and low <= parameter.default <= high:
        return []
    allowed = f"Allowed: {low:g} to {high:g}." if math.isfinite(low) or math.isfinite(high) else ""
    message = f"parameter {parameter.name} is {parameter.default:g}"
    return [FormulaProblem(parameter.position, message, allowed, len(parameter.name))]


def _problem(word: Token, message: str, hint: str) -> FormulaProblem:
    return FormulaProblem(word.position, message, hint, word.width)
