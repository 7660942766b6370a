"""A project's indicators in Python: files in `indicators/` beside tasks.yaml, computed like the formulas of 通达信."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mystocks_dagster.errors import InvalidParams, UnknownName
from mystocks_dagster.excerpts import suggest
from mystocks_dagster.market.formulas.syntax import Call, Formula, Name, Statement
from mystocks_dagster.settings import indicator_folder
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.registry import files_in
from mystocks_dagster.taskfile.problems import Problem

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

#: The columns that an indicator can read, and their names in formulas.
READS: Mapping[str, str] = MappingProxyType(
    {
        "open_hfq": "OPEN",
        "high_hfq": "HIGH",
        "low_hfq": "LOW",
        "close_hfq": "CLOSE",
        "volume": "VOL",
        "amount": "AMOUNT",
        "turnover": "TURNOVER",
    }
)


def own_indicators() -> Mapping[str, Definition]:
    """Return the project's indicators without problems by name."""
    files = files_in(indicator_folder(), "indicator")
    return {item.name: item for file in files for item in file.definitions if not _fault(item)}


def indicator_problems() -> list[Problem]:
    """Return the problems of the project's files of indicators."""
    files = files_in(indicator_folder(), "indicator")
    listed = [problem for file in files for problem in file.problems]
    for item in (item for file in files for item in file.definitions):
        if text := _fault(item):
            message = f"{item.name}: {text}"
            listed.append(Problem(file=str(item.file), line=item.line, column=1, path="", message=message))
    return listed


def find_indicator(name: str) -> Definition:
    """Return an indicator of the project.

    Raises:
        UnknownName: There is none of that name.
    """
    if name not in (known := own_indicators()):
        raise UnknownName(f"There is no indicator {name!r} in {indicator_folder()}. {suggest(name, known)}".strip())
    return known[name]


def _fault(item: Definition) -> str:
    if unknown := [name for name in item.reads if name not in READS]:
        return f"it reads {unknown[0]!r}; an indicator can read {', '.join(READS)}"
    if item.of_the_market:
        return "an indicator sees one symbol at a time, so it has no parameter market"
    return ""


def column_of(definition: Definition, output: str, label: str = "") -> str:
    """Return the column that holds an output."""
    return f"{label or definition.name}_{output}".lower()


def as_formula(definition: Definition, params: Mapping[str, Any]) -> Formula:
    """Return an indicator as the tree of a formula, whose functions compute it; the project's file is not run yet.

    The names of the functions hold the version of the file and the parameters, so another text is another formula.
    """
    from mystocks_dagster.market.kernels.own import register
    from mystocks_dagster.market.kernels.primitive import Primitive

    arguments = tuple(Name(READS[name]) for name in definition.reads)
    bars, width = definition.bars_needed(params), len(definition.reads)
    statements = []
    for output in definition.outputs:
        name = f"@{definition.name}.{output} {definition.version(params)}"
        size = None if bars is None else 1 + bars * width
        run = partial(_run, definition, tuple(sorted(params.items())), output, bars)
        register(Primitive(name, "x" * width, run, state_size=partial(_size, size)))
        statements.append(Statement(output.upper(), Call(name, arguments)))
    return Formula(definition.name, (), tuple(statements))


def _size(size: int | None) -> int | None:
    return size


def _run(
    definition: Definition,
    params: tuple[tuple[str, Any], ...],
    output: str,
    bars: int | None,
    offsets: "np.ndarray",
    *arrays: "np.ndarray",
) -> None:
    """Compute one output for a block of symbols: a kernel, whose last two arrays are the state and the result."""
    import numpy as np

    *series, state, out = arrays
    width, lengths = len(series), np.diff(offsets)
    before = np.zeros(len(lengths), np.int64) if bars is None else state[:, 0].astype(np.int64)
    pieces = []
    for symbol, (start, end) in enumerate(pairwise(offsets)):
        earlier = state[symbol, 1 : 1 + before[symbol] * width].reshape(-1, width) if bars else np.empty((0, width))
        rows = np.vstack([earlier, np.column_stack([values[start:end] for values in series])])
        pieces.append(rows)
        if bars:
            kept = rows[-bars:]
            state[symbol, 0], state[symbol, 1 : 1 + kept.size] = len(kept), kept.ravel()
    values = _computed(definition, dict(params), output, pieces)
    ends = np.cumsum([len(piece) for piece in pieces])
    for symbol, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        out[offsets[symbol] : offsets[symbol + 1]] = values[end - length : end]


def _computed(definition: Definition, params: dict[str, Any], output: str, pieces: list["np.ndarray"]) -> "np.ndarray":
    """Return the values of an output for the rows of some symbols."""
    import numpy as np
    import polars as pl

    rows = np.vstack(pieces)
    columns = {name: pl.Series(rows[:, place], nan_to_null=True) for place, name in enumerate(definition.reads)}
    frame = pl.DataFrame({"symbol": np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces]), **columns})
    expressions = {output: expressions_of(definition, params)[output]}
    values = values_of(definition, expressions, frame)
    return values[output].fill_null(float("nan")).to_numpy()


def expressions_of(definition: Definition, params: Mapping[str, Any]) -> Mapping[str, "pl.Expr"]:
    """Return the expression of each output; the project's file is run.

    Raises:
        InvalidParams: Its code fails, or does not return an expression for each output.
    """
    import polars as pl

    from mystocks_dagster.strategies.loading import FAILURES, function_of

    try:
        expressions = function_of(definition)(**params)
        for output in definition.outputs:
            if not isinstance(expressions, Mapping) or output not in expressions:
                raise InvalidParams(f"it must return a mapping with an expression for {output!r}")
            if not isinstance(value := expressions[output], pl.Expr):
                raise InvalidParams(
                    f"in its mapping, {output!r} must be an expression, such as pl.col('close_hfq').rolling_mean(5), "
                    f"not {type(value).__name__}"
                )
        return {output: expressions[output] for output in definition.outputs}
    except FAILURES as error:
        raise _failed(definition, error) from error


def values_of(definition: Definition, expressions: Mapping[str, "pl.Expr"], rows: "pl.DataFrame") -> "pl.DataFrame":
    """Return the values of outputs, a column of numbers each.

    Args:
        definition: The indicator.
        expressions: The expressions of outputs, from `expressions_of`.
        rows: `symbol` and the columns that it reads, sorted by symbol and date.

    Raises:
        InvalidParams: An expression cannot be computed, or does not give a number on each row.
    """
    import polars as pl

    from mystocks_dagster.strategies.loading import FAILURES

    try:
        outputs = (item.over("symbol").alias(output) for output, item in expressions.items())
        values = rows.with_columns(outputs).select(*expressions)
        for output, kind in values.schema.items():
            if not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
                raise InvalidParams(f"its output {output!r} must be a number on each row, but is {kind}")
    except FAILURES as error:
        raise _failed(definition, error) from error
    return values.cast(pl.Float64)


def _failed(definition: Definition, error: BaseException) -> InvalidParams:
    from mystocks_dagster.strategies.loading import reason_of

    return InvalidParams(f"The indicator {definition.name} ({definition.place}) failed: {reason_of(error)}")
