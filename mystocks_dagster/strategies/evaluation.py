"""Running a strategy on rows: its signals, or a clear error about its code. Only a task's process does this."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.writing import Rules

#: Columns of `signals_of`, without the raw close that the table also has.
SIGNAL = ("symbol", "date", "strategy", "side", "detail", "score", "weight", "entry")
#: The columns of a signal that a strategy may leave unknown.
_OPTIONAL: Mapping[str, type[pl.DataType]] = {"score": pl.Float64, "weight": pl.Float64, "entry": pl.String}
_ENTRIES = {"open", "board", None}
_SIDES = ("buy", "sell")
#: The number of a row's symbol, while its signals are computed.
_PLACE = "_place"


def signals_of(choice: Choice, rows: pl.DataFrame, since: date = date.min) -> pl.DataFrame:
    """Return the signals of a strategy from the day `since` on, sorted by symbol, date and side.

    Args:
        choice: The strategy with its parameters.
        rows: `symbol`, `date` and the columns that it reads, sorted by symbol and date, with at least the earlier bars
            that it needs.
        since: The first day to return.

    Returns:
        The columns of `SIGNAL`: `detail` has the values that decided, and the last three may be null.

    Raises:
        InvalidParams: The strategy's code fails, or returns something else than signals.
    """
    definition = choice.definition
    function = function_of(choice)
    try:
        if definition.of_the_market:
            frame = _of_the_market(function(rows, **choice.params), since)
        else:
            frame = _by_symbol(function(**choice.params), rows, since)
    except Exception as error:
        text = str(error).partition("\n")[0] or "no message"
        reason = text if isinstance(error, InvalidParams) else f"{type(error).__name__}: {text}"
        raise InvalidParams(f"The strategy {choice.label} ({definition.place}) failed: {reason}") from error
    return frame.with_columns(strategy=pl.lit(choice.label)).select(SIGNAL).sort("symbol", "date", "side")


def function_of(choice: Choice) -> Callable[..., Any]:
    """Return the function of a strategy; a file of the project is run.

    Raises:
        InvalidParams: The file fails, or has no such function any more.
    """
    definition = choice.definition
    module = _shipped(definition.file) if definition.shipped else _own(definition.file)
    function = vars(module).get(definition.name)
    if not callable(function):
        raise InvalidParams(f"{definition.file} has no function {definition.name!r} after it has run.")
    return function


def _shipped(path: Path) -> ModuleType:
    return importlib.import_module(f"mystocks_dagster.strategies.shipped.{path.stem}")


def _own(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"strategies.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InvalidParams(f"{path} cannot be run as Python.")
    module = importlib.util.module_from_spec(spec)
    # Last, so that nothing beside the task file can replace an installed module.
    if (beside := str(path.parent.parent)) not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InvalidParams(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _by_symbol(rules: Any, rows: pl.DataFrame, since: date) -> pl.DataFrame:
    if not isinstance(rules, Rules):
        raise InvalidParams(f"it must return Rules(buy=..., sell=...), not {type(rules).__name__}")
    return pl.concat(_sides(rules, rows, since))


def _sides(rules: Rules, rows: pl.DataFrame, since: date) -> Iterator[pl.DataFrame]:
    explained = rules.explained
    computed = {f"_value_{name}": value for name, value in explained.items() if isinstance(value, pl.Expr)}
    computed |= {name: value for name in ("score", "weight") if (value := getattr(rules, name)) is not None}
    conditions = {f"_{side}": getattr(rules, side) for side in _SIDES}
    # Sorted numbers need no table of groups: a third less time than by symbols.
    flagged = rows.with_columns(pl.col("symbol").rle_id().set_sorted().alias(_PLACE)).with_columns(
        expression.over(_PLACE).alias(name) for name, expression in (*conditions.items(), *computed.items())
    )
    values = {name: f"_value_{name}" if isinstance(value, pl.Expr) else value for name, value in explained.items()}
    for side in _SIDES:
        signals = flagged.filter(pl.col(f"_{side}") & (pl.col("date") >= since))
        entry = pl.lit(rules.entry if side == "buy" else None, pl.String)
        yield _signals(signals.with_columns(side=pl.lit(side), entry=entry), values)


def _of_the_market(frame: Any, since: date) -> pl.DataFrame:
    if not isinstance(frame, pl.DataFrame):
        raise InvalidParams(f"it must return a polars frame, not {type(frame).__name__}")
    if missing := [name for name in ("symbol", "date", "side") if name not in frame.columns]:
        raise InvalidParams(f"its frame has no column {', '.join(missing)}")
    for name, allowed in (("side", set(_SIDES)), ("entry", _ENTRIES)):
        if name in frame.columns and (wrong := set(frame[name].unique()) - allowed):
            raise InvalidParams(f"its column {name} may not have {wrong.pop()!r}")
    if frame.select("symbol", "date", "side").is_duplicated().any():
        raise InvalidParams("its frame has two rows of one symbol, day and side")
    values = {name: name for name in frame.columns if name not in ("symbol", "date", "side", "weight", "entry")}
    return _signals(frame.filter(pl.col("date") >= since), values)


def _signals(frame: pl.DataFrame, values: Mapping[str, str]) -> pl.DataFrame:
    optional = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in _OPTIONAL.items()
    ]
    return frame.select("symbol", "date", "side", *optional, detail=_detail(values, frame.schema))


def _detail(values: Mapping[str, str], schema: pl.Schema) -> pl.Expr:
    """Return the values as text, such as `ma5 10.1235 ma20 10.0`; an unknown value is left out."""
    texts = [
        pl.format(f"{name} {{}}", pl.col(column).round(4) if schema[column].is_float() else column)
        for name, column in values.items()
    ]
    return pl.concat_str(texts, separator=" ", ignore_nulls=True) if texts else pl.lit("")
