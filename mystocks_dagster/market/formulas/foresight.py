"""What a formula knows of later days: functions that look ahead are for charts, not for signals and screens."""

from collections.abc import Iterator

from mystocks_dagster.market.formulas.functions import FUNCTIONS
from mystocks_dagster.market.formulas.problems import FormulaProblem
from mystocks_dagster.market.formulas.syntax import Call, Expression, Formula, Name, walk


def problems_of_foresight(formula: Formula, hint: str) -> Iterator[FormulaProblem]:
    """Yield a problem for each function of a formula that looks ahead; `hint` says why it may not."""
    for line in formula.statements:
        for call in _calls_ahead(line.expression):
            message = f"{call.function} looks ahead: its value on a day depends on later days"
            yield FormulaProblem(call.position, message, hint, len(call.function))


def outputs_ahead(formula: Formula) -> frozenset[str]:
    """Return the outputs whose value on a day depends on later days; one without a name is `OUT1`, `OUT2`..."""
    ahead: set[str] = set()
    found: set[str] = set()
    number = 0
    for line in formula.statements:
        number += not line.hidden
        depends = any(isinstance(part, Name) and part.name in ahead for part in walk(line.expression))
        if depends or any(_calls_ahead(line.expression)):
            ahead |= {line.name} if line.name else set()
            found |= set() if line.hidden else {line.name or f"OUT{number}"}
    return frozenset(found)


def _calls_ahead(expression: Expression) -> Iterator[Call]:
    for part in walk(expression):
        # A function that is not in the library is one of the user's own, which sees no later day.
        if isinstance(part, Call) and part.function in FUNCTIONS and FUNCTIONS[part.function].looks_ahead:
            yield part
