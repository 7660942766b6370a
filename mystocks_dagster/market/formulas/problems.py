"""Problems of a formula: place, message and remedy, and their rendering with a caret under the faulty characters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.excerpts import excerpt, with_remedy
from mystocks_dagster.market.formulas.syntax import Position

#: Problems that a message prints; the exception holds them all.
_PRINTED = 20


@dataclass(frozen=True, slots=True)
class FormulaProblem:
    """One problem of a formula.

    Attributes:
        position: Where it is in the text.
        message: What is wrong, in one line.
        hint: What to write instead, or a similar name; may be empty.
        width: Number of faulty characters.
    """

    position: Position
    message: str
    hint: str = ""
    width: int = 1

    def __str__(self) -> str:
        """Return `line:column: message. hint`."""
        return with_remedy(f"{self.position.line}:{self.position.column}: {self.message}", self.hint)

    def to_json(self) -> dict[str, Any]:
        """Return place, message and hint for REST and `--json`."""
        place = {"line": self.position.line, "column": self.position.column}
        return {**place, "message": self.message, "hint": self.hint}


class FormulaError(MyStocksError, status=422, exit_code=1):
    """A formula is wrong; the message prints each problem with its line and a caret.

    Attributes:
        name: The formula's name, or its file.
        problems: In the order of the text; at least one.
        text: The formula as written.
    """

    remedy = "Correct the formula at the caret; docs/formulas.md has the language and its functions."

    def __init__(self, name: str, problems: Sequence[FormulaProblem], text: str) -> None:
        self.name = name
        self.problems = tuple(problems)
        self.text = text
        super().__init__(_render(name, self.problems, text.splitlines()))

    def _details(self) -> dict[str, Any]:
        return {"problems": [{"file": self.name, "path": "", **problem.to_json()} for problem in self.problems]}

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the problems when the error is pickled."""
        return type(self), (self.name, self.problems, self.text)


def _render(name: str, problems: Sequence[FormulaProblem], lines: Sequence[str]) -> str:
    parts = [_render_one(name, problem, lines) for problem in problems[:_PRINTED]]
    if len(problems) > _PRINTED:
        parts.append(f"... and {len(problems) - _PRINTED} more")
    return "\n".join(parts)


def _render_one(name: str, problem: FormulaProblem, lines: Sequence[str]) -> str:
    line, column = problem.position.line, problem.position.column
    head = f"{name}:{line}:{column}: {problem.message}"
    shown = excerpt(lines[line - 1], line, column, problem.width) if line <= len(lines) else []
    return "\n".join([head, *shown, *([f"  {problem.hint}"] if problem.hint else [])])
