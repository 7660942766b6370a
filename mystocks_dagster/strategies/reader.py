"""Reading a file of strategies or indicators: what it declares, or all its problems. The file is not run."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mystocks_dagster.plain_files import read_plain
from mystocks_dagster.strategies.annotations import Unreadable, literal, type_of
from mystocks_dagster.strategies.definition import RESERVED, Definition, StrategyParams
from mystocks_dagster.strategies.lookback import bars_of
from mystocks_dagster.taskfile.problems import Problem, TaskFileError
from mystocks_dagster.taskfile.yaml.source import decoded

#: The first parameter of a strategy that sees the whole market.
MARKET = "market"
Kind = Literal["strategy", "indicator"]
#: The arguments of each decorator that hold lists of names.
_LISTS: Mapping[Kind, tuple[str, ...]] = {"strategy": ("reads",), "indicator": ("reads", "outputs")}
#: What ends the name of an indicator's column, and what such a column cannot be beside.
_OUTPUT, _KEYS = re.compile(r"\w{1,40}"), ("symbol", "date")
_DOC = 'Write a line in """quotes""" below the `def` that says what it does.'
_FORMS: Mapping[Kind, str] = {
    "strategy": "Write @strategy(reads=[...], lookback=...) with values that are written out; see docs/strategies.md.",
    "indicator": "Write @indicator(reads=[...], outputs=[...], lookback=...) with values that are written out.",
}


@dataclass(frozen=True)
class StrategyFile:
    """The strategies of a file, and its problems."""

    definitions: tuple[Definition, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_strategies(path: Path, *, shipped: bool = False, kind: Kind = "strategy") -> StrategyFile:
    """Return the strategies, or the indicators, that a file declares; a faulty one is left out and reported."""
    try:
        text = decoded(path, read_plain(path))
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        message = f"the file is not valid Python: {error.msg}"
        return StrategyFile(problems=(_problem(path, error.lineno or 1, error.offset or 1, message),))
    except TaskFileError as error:
        return StrategyFile(problems=tuple(error.problems))
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        return StrategyFile(problems=(_problem(path, 1, 1, message, "Check that it is a file, and its permissions."),))
    except (ValueError, RecursionError, MemoryError) as error:
        return StrategyFile(problems=(_problem(path, 1, 1, f"the file cannot be read: {error}"),))
    definitions, problems = [], []
    for function, decorator in _decorated(tree, kind):
        try:
            definitions.append(_definition(path, text, function, decorator, kind, shipped=shipped))
        except Unreadable as error:
            line, column = getattr(error.node, "lineno", function.lineno), getattr(error.node, "col_offset", 0) + 1
            hint = _DOC if error.node is function else _FORMS[kind]
            problems.append(_problem(path, line, column, f"{function.name}: {error}", hint))
    return StrategyFile(tuple(definitions), tuple(problems))


def _decorated(tree: ast.Module, kind: Kind) -> Iterator[tuple[ast.FunctionDef, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                match decorator.func if isinstance(decorator, ast.Call) else decorator:
                    case ast.Name(id=name) | ast.Attribute(attr=name) if name == kind:
                        yield node, decorator


def _definition(
    path: Path, text: str, function: ast.FunctionDef, decorator: ast.expr, kind: Kind, *, shipped: bool
) -> Definition:
    doc = inspect.cleandoc(ast.get_docstring(function) or "")
    if not doc:
        raise Unreadable("it has no docstring, so nobody can see what it does", function)
    options = _options(decorator, kind)
    fields = _fields(function)
    of_the_market = bool(function.args.args) and function.args.args[0].arg == MARKET
    definition = Definition(
        name=function.name,
        file=path,
        line=function.lineno,
        doc=doc,
        reads=tuple(options["reads"]),
        lookback=options.get("lookback"),
        fields=fields,
        of_the_market=of_the_market,
        text=text,
        shipped=shipped,
        outputs=tuple(options.get("outputs", ())),
    )
    _check_lookback(definition, decorator)
    return definition


def _options(decorator: ast.expr, kind: Kind) -> dict[str, Any]:
    """Return the arguments of the decorator."""
    needed = " and ".join(f"{name}=[...]" for name in _LISTS[kind])
    if not isinstance(decorator, ast.Call) or decorator.args:
        raise Unreadable(f"@{kind} needs {needed}", decorator)
    allowed = (*_LISTS[kind], "lookback")
    options: dict[str, Any] = {}
    for keyword in decorator.keywords:
        if keyword.arg not in allowed:
            raise Unreadable(f"@{kind} takes {', '.join(allowed)}, not {keyword.arg}", keyword)
        options[keyword.arg] = literal(keyword.value, keyword.arg)
    if not all(_is_names(options.get(name)) for name in _LISTS[kind]):
        raise Unreadable(f"@{kind} needs {needed}", decorator)
    _check_outputs(options.get("outputs", ()), decorator)
    lookback = options.get("lookback")
    if isinstance(lookback, bool) or not isinstance(lookback, str | int | None):
        raise Unreadable("lookback is neither a number nor text", decorator)
    return options


def _check_outputs(outputs: Sequence[str], decorator: ast.Call) -> None:
    """Check that each output has a column of its own, whose name is one word in small letters."""
    node = next((keyword.value for keyword in decorator.keywords if keyword.arg == "outputs"), decorator)
    for place, name in enumerate(outputs):
        if not _OUTPUT.fullmatch(name) or name.lower() in _KEYS:
            raise Unreadable(
                f"an output cannot be called {name!r}; it ends the name of a column: letters, digits or _", node
            )
        if name.lower() in (earlier.lower() for earlier in outputs[:place]):
            raise Unreadable(f"two outputs have the column of {name!r}", node)


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(name, str) for name in value)


def _fields(function: ast.FunctionDef) -> dict[str, tuple[Any, Any]]:
    """Return the parameters with their types and defaults."""
    given = function.args
    if given.vararg or given.kwarg or given.posonlyargs:
        raise Unreadable("it may not take *args, **kwargs or positional-only parameters", given.vararg or function)
    defaults = [None] * (len(given.args) - len(given.defaults)) + list(given.defaults)
    parameters = [*zip(given.args, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if parameters and parameters[0][0].arg == MARKET:
        parameters = parameters[1:]
    fields = {}
    for parameter, default in parameters:
        name = parameter.arg
        if name in RESERVED or name.startswith("_") or hasattr(StrategyParams, name):
            raise Unreadable(f"a parameter cannot be named {name!r}", parameter)
        value = ... if default is None else literal(default, f"the default of {name!r}")
        fields[name] = (type_of(parameter.annotation, parameter), value)
    return fields


def _check_lookback(definition: Definition, decorator: ast.expr) -> None:
    """Check the names and the arithmetic of a lookback, with the defaults or with ones."""
    values = {
        name: default if isinstance(default, int | float) else 1 for name, (_, default) in definition.fields.items()
    }
    try:
        if definition.lookback is not None:
            bars_of(definition.lookback, values)
    except ValueError as error:
        raise Unreadable(str(error), decorator) from None


def _problem(path: Path, line: int, column: int, message: str, hint: str = "") -> Problem:
    return Problem(file=str(path), line=line, column=column, path="", message=message, hint=hint)
