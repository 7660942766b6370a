"""Value rules as text: a small grammar of comparisons and arithmetic, translated into polars expressions.

Nothing is evaluated as Python: the text is parsed into a syntax tree, of which only the nodes listed here are known.
"""

import ast
from collections.abc import Callable, Mapping
from datetime import date
from functools import reduce
from operator import add, and_, eq, ge, gt, le, lt, mul, ne, or_, sub, truediv
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import polars as pl

from mystocks_dagster.excerpts import suggest

#: A rule is one line; longer texts and deeper trees are refused.
MAX_LENGTH = 300
MAX_DEPTH = 20

Kind = Literal["number", "text", "day", "flag", "moment"]


class ExpressionError(ValueError):
    """The text is not a value rule; `span` is the offset and length of the faulty part."""

    def __init__(self, message: str, hint: str = "", span: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.message, self.hint, self.span = message, hint, span


class _Value(NamedTuple):
    expr: pl.Expr
    kind: Kind


_ARITHMETIC: MappingProxyType[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: truediv}
)
_COMPARISONS: MappingProxyType[type, Callable[[Any, Any], Any]] = MappingProxyType(
    {ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge, ast.Eq: eq, ast.NotEq: ne}
)
_FUNCTIONS = ("abs", "min", "max", "known")


def translate(text: str, columns: Mapping[str, Kind]) -> pl.Expr:
    """Return the expression that is true in rows that obey a rule, and null where a value that it needs is unknown.

    Args:
        text: Comparisons (`<`, `<=`, `>`, `>=`, `==`, `!=`, also chained), `in [...]`, `not in [...]`, `and`, `or`,
            `not`, `+ - * /`, `abs(x)`, `min(x, y)`, `max(x, y)`, `known(x)`, column names, numbers and quoted text. A
            day is written as text: `date >= '1990-12-19'`.
        columns: Names and kinds of the columns.

    Raises:
        ExpressionError: The text is anything else.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the rule is longer than {MAX_LENGTH} characters", "Write several rules.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ExpressionError("the rule cannot be read", "Write a comparison, such as `0 <= ratio <= 100`.") from None
    value = _Translator(columns, len(text) - len(text.lstrip())).value(tree, 0)
    if value.kind != "flag":
        raise ExpressionError("the rule is not true or false", f"Write a comparison, such as `{text.strip()} >= 0`.")
    return value.expr


class _Translator:
    def __init__(self, columns: Mapping[str, Kind], offset: int) -> None:
        self._columns, self._offset = columns, offset

    def value(self, node: ast.expr, depth: int) -> _Value:
        if depth > MAX_DEPTH:
            raise self._error(node, "the rule is nested too deeply", "Write several rules.")
        match node:
            case ast.Name():
                return self._column(node)
            case ast.Constant():
                return self._constant(node)
            case ast.BoolOp(op=op, values=values):
                combine = and_ if isinstance(op, ast.And) else or_
                return _Value(reduce(combine, (self._flag(item, depth).expr for item in values)), "flag")
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _Value(~self._flag(operand, depth).expr, "flag")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _Value(-self._number(operand, depth).expr, "number")
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                parts = self._number(left, depth).expr, self._number(right, depth).expr
                return _Value(_ARITHMETIC[type(op)](*parts), "number")
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                return self._call(node, name, args, depth)
        raise self._error(node, "is not allowed in a rule", _ALLOWED)

    def _column(self, node: ast.Name) -> _Value:
        if node.id not in self._columns:
            raise self._error(node, f"there is no column {node.id!r}", suggest(node.id, self._columns), quote=False)
        return _Value(pl.col(node.id), self._columns[node.id])

    def _constant(self, node: ast.Constant) -> _Value:
        match node.value:
            case bool():
                return _Value(pl.lit(node.value), "flag")
            case int() | float():
                return _Value(pl.lit(float(node.value)), "number")
            case str():
                return _Value(pl.lit(node.value), "text")
        raise self._error(node, "is not allowed in a rule", _ALLOWED)

    def _flag(self, node: ast.expr, depth: int) -> _Value:
        return self._of_kind(node, depth, "flag", "is not true or false")

    def _number(self, node: ast.expr, depth: int) -> _Value:
        return self._of_kind(node, depth, "number", "is not a number")

    def _of_kind(self, node: ast.expr, depth: int, kind: Kind, message: str) -> _Value:
        value = self.value(node, depth + 1)
        if value.kind != kind:
            raise self._error(node, message)
        return value

    def _comparison(self, node: ast.Compare, depth: int) -> _Value:
        parts, left = [], node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._compared(left, op, right, depth))
            left = right
        return _Value(reduce(and_, parts), "flag")

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> pl.Expr:
        if isinstance(op, ast.In | ast.NotIn):
            inside = self._inside(left, right, depth)
            return inside if isinstance(op, ast.In) else ~inside
        if type(op) not in _COMPARISONS:
            raise self._error(right, "is compared in a way that is not allowed", _ALLOWED)
        first, second = self._alike(left, right, depth)
        return _COMPARISONS[type(op)](first, second)

    def _alike(self, left: ast.expr, right: ast.expr, depth: int) -> tuple[pl.Expr, pl.Expr]:
        """Return two values of one kind; text beside a day is read as a day."""
        first, second = self.value(left, depth + 1), self.value(right, depth + 1)
        if first.kind == "day" and second.kind == "text":
            second = self._day(right)
        elif second.kind == "day" and first.kind == "text":
            first = self._day(left)
        if first.kind != second.kind:
            raise self._error(right, f"is a {second.kind} and is compared with a {first.kind}")
        return first.expr, second.expr

    def _inside(self, left: ast.expr, right: ast.expr, depth: int) -> pl.Expr:
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            raise self._error(right, "must be a list", "Write `in ['A', 'B']`.")
        return reduce(or_, (eq(*self._alike(left, item, depth)) for item in right.elts))

    def _day(self, node: ast.expr) -> _Value:
        try:
            return _Value(pl.lit(date.fromisoformat(str(getattr(node, "value", "")))), "day")
        except ValueError:
            raise self._error(node, "is not a day", "Write '2024-03-01'.") from None

    def _call(self, node: ast.Call, name: str, args: list[ast.expr], depth: int) -> _Value:
        if name == "known" and len(args) == 1:
            return _Value(self.value(args[0], depth + 1).expr.is_not_null(), "flag")
        if name == "abs" and len(args) == 1:
            return _Value(self._number(args[0], depth).expr.abs(), "number")
        if name in ("min", "max") and len(args) > 1:
            horizontal = pl.min_horizontal if name == "min" else pl.max_horizontal
            return _Value(horizontal([self._number(item, depth).expr for item in args]), "number")
        raise self._error(node, f"has the wrong number of values for {name}()")

    def _error(self, node: ast.expr, message: str, hint: str = "", *, quote: bool = True) -> ExpressionError:
        span = (self._offset + node.col_offset, max(1, (node.end_col_offset or 0) - node.col_offset))
        return ExpressionError(f"{_written(node)} {message}" if quote else message, hint, span)


def _written(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"`{text[:40]}{'...' if len(text) > 40 else ''}`"


_ALLOWED = (
    "Allowed: comparisons, in [...], and, or, not, + - * /, abs(), min(), max(), known(), columns, numbers, 'text'."
)
