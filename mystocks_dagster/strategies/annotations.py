"""The type of a strategy's parameter, read from its text without running the file."""

import ast
from datetime import date
from typing import Annotated, Any, Literal, Union, cast

from pydantic import Field, Strict

from mystocks_dagster.strategies.formulas import Formula

#: The types by their names. A number in quotes is a text, and `true` is no number.
_SIMPLE = {
    "int": Annotated[int, Strict()],
    "float": Annotated[float, Strict()],
    "str": str,
    "bool": Annotated[bool, Strict()],
    "date": date,
    "Formula": Formula,
}
#: The special forms as values: what follows them is known only at run time.
_ANNOTATED, _LITERAL, _UNION, _LIST = cast("tuple[Any, Any, Any, Any]", (Annotated, Literal, Union, list))
#: What `Field` may say about a value.
_BOUNDS = ("ge", "gt", "le", "lt", "min_length", "max_length", "description")
#: The types, for messages.
FORMS = "int, float, str, bool, date, Formula, list[int], Literal[...], int | None, Annotated[int, Field(ge=1, le=9)]"


class Unreadable(ValueError):
    """An annotation or a value is not written in a form that can be read without running the file.

    Attributes:
        node: The part that cannot be read.
    """

    def __init__(self, message: str, node: ast.AST) -> None:
        super().__init__(message)
        self.node = node


def type_of(node: ast.expr | None, parameter: ast.arg) -> Any:
    """Return the type that an annotation states.

    Raises:
        Unreadable: There is none, or it has another form than `FORMS`.
    """
    if node is None:
        raise Unreadable(f"the parameter {parameter.arg!r} has no type", parameter)
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _SIMPLE:
            return _SIMPLE[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return _UNION[type_of(left, parameter), None]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _UNION[type_of(left, parameter), type_of(right, parameter)]
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            return _generic(name, inner, node, parameter)
    raise Unreadable(f"the type of {parameter.arg!r} is not one of {FORMS}", node)


def literal(node: ast.expr, what: str) -> Any:
    """Return a value that is written out.

    Raises:
        Unreadable: It is computed.
    """
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise Unreadable(f"{what} is not written out", node) from None


def _generic(name: str, inner: ast.expr, node: ast.expr, parameter: ast.arg) -> Any:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        return _LITERAL[tuple(literal(part, f"a choice of {parameter.arg!r}") for part in parts)]
    if name == "list":
        return _LIST[type_of(inner, parameter)]
    if name == "Annotated" and len(parts) == 2:
        return _ANNOTATED[type_of(parts[0], parameter), _field(parts[1], parameter)]
    raise Unreadable(f"the type of {parameter.arg!r} is not one of {FORMS}", node)


def _field(node: ast.expr, parameter: ast.arg) -> Any:
    match node:
        case ast.Call(func=ast.Name(id="Field") | ast.Attribute(attr="Field"), args=[], keywords=keywords):
            bounds: dict[str, Any] = {}
            for keyword in keywords:
                if keyword.arg not in _BOUNDS:
                    raise Unreadable(f"Field of {parameter.arg!r} may have {', '.join(_BOUNDS)}", keyword)
                bounds[keyword.arg] = literal(keyword.value, f"{keyword.arg} of {parameter.arg!r}")
            return Field(**bounds)
    raise Unreadable(f"Annotated of {parameter.arg!r} needs a Field(...)", node)
