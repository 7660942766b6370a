"""The tree of a formula. Two trees are equal if they mean the same: positions are not compared."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text of a formula; line and column from 1, in characters."""

    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


_START = Position()


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, without its sign."""

    value: float
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes."""

    value: str
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bars column, a parameter, or an earlier statement; in upper case."""

    name: str
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`-` or `NOT`."""

    operator: str
    operand: "Expression"
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """`OR`, `AND`, `=`, `<>`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*` or `/`."""

    operator: str
    left: "Expression"
    right: "Expression"
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; a function without arguments, such as YEAR, has an empty tuple."""

    function: str
    arguments: tuple["Expression", ...] = ()
    position: Position = field(default=_START, compare=False, repr=False)


Expression = Number | Text | Name | Unary | Binary | Call


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: the value that the formula is computed with, and its bounds."""

    name: str
    default: float
    low: float | None = None
    high: float | None = None
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """`NAME:=expression` (hidden), `NAME:expression` or an expression alone (name None), which are outputs.

    Attributes:
        attributes: How charts draw it, such as COLORRED or LINETHICK2; they change no value.
    """

    name: str | None
    expression: Expression
    hidden: bool = False
    attributes: tuple[str, ...] = field(default=(), compare=False)
    position: Position = field(default=_START, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula: statements in the order in which they are computed.

    Attributes:
        drawings: Statements such as DRAWTEXT(...), which give charts a text or a mark and no value.
    """

    name: str
    parameters: tuple[Parameter, ...]
    statements: tuple[Statement, ...]
    drawings: tuple[Call, ...] = field(default=(), compare=False)

    @property
    def outputs(self) -> tuple[Statement, ...]:
        """The statements that give a column."""
        return tuple(statement for statement in self.statements if not statement.hidden)


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the operands or arguments of an expression, in order."""
    match expression:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all expressions in it, each before its parts, from left to right."""
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(reversed(children(current)))
