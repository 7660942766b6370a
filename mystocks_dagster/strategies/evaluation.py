"""Running a strategy on rows: its signals, or a clear error about its code. Only a task's process does this."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.loading import FAILURES, function_of, reason_of
from mystocks_dagster.strategies.writing import Rules

#: Columns of `signals_of`, without the raw close that the table also has.
SIGNAL = ("symbol", "date", "strategy", "side", "detail", "score", "weight", "entry")
#: The columns of a signal that a strategy may leave unknown.
_OPTIONAL: Mapping[str, type[pl.DataType]] = {"score": pl.Float64, "weight": pl.Float64, "entry": pl.String}
_ENTRIES = {"open", "board", None}
#: Functions that add values up as they go: across symbols, the last digits of a large sum would stay in a small one.
_ADDS_UP = re.compile(r"rolling_(?!min|max)|ewm|cum")
#: Significant digits of scores and weights: sums of other rows differ in the last ones.
_DIGITS = 10
_SIDES = ("buy", "sell")
#: What of rules, or of a frame of the market, is a number.
_NUMBERS = ("score", "weight")
#: Characters of a wrong value that a message shows.
_LONGEST_VALUE = 40


def signals_of(choice: Choice, rows: pl.DataFrame, since: date = date.min, *, trusting: bool = False) -> pl.DataFrame:
    """Return the signals of a strategy from the day `since` on, sorted by symbol, date and side.

    Args:
        choice: The strategy with its parameters.
        rows: `symbol`, `date` and the columns that it reads, sorted by symbol and date, with at least the earlier bars
            that it needs.
        since: The first day to return.
        trusting: Rely on the lookback that the strategy states: its expressions then run over all rows at once, and
            only the first rows of each symbol by themselves, which takes a fraction of the time.

    Returns:
        The columns of `SIGNAL`: `detail` has the values that decided, and the last three may be null.

    Raises:
        InvalidParams: The strategy's code fails, or returns something else than signals.
    """
    definition = choice.definition
    function = function_of(definition)
    try:
        if definition.of_the_market:
            frame = _of_the_market(function(rows, **choice.params), since)
        else:
            bars = choice.bars_needed if trusting else None
            frame = _by_symbol(function(**choice.params), rows, since, bars)
    except FAILURES as error:
        raise InvalidParams(f"The strategy {choice.label} ({definition.place}) failed: {reason_of(error)}") from error
    return frame.with_columns(strategy=pl.lit(choice.label)).select(SIGNAL)


def _by_symbol(rules: Any, rows: pl.DataFrame, since: date, bars: int | None) -> pl.DataFrame:
    """Return the signals in the order of the rows, a purchase before a sale."""
    if not isinstance(rules, Rules):
        raise InvalidParams(f"it must return Rules(buy=..., sell=...), not {type(rules).__name__}")
    _check_fields(rules)
    wanted, parts = rows["date"] >= since, []
    if bars is None or rows.is_empty() or any(_ADDS_UP.search(str(item)) for item in _expressions(rules)):
        parts.append(_decided(rules, rows, wanted, "symbol"))
    else:
        # A row with so many rows of its symbol before it depends on these only: what other symbol is above does not
        # matter. The first rows of a symbol are computed by themselves; of most symbols none of them is wanted.
        first, alone = _first_rows(rows["symbol"], bars, wanted.to_numpy())
        parts.append(_decided(rules, rows, wanted & ~pl.Series(first), None))
        if len(alone):
            parts.append(_decided(rules, rows[alone], wanted.gather(alone), "symbol", alone))
    signals = pl.concat(parts)
    # A stable sort of ascending pieces merges them.
    signals = signals[np.argsort(signals["_place"].to_numpy(), kind="stable")]
    return _signals(signals, _columns_of_values(rules))


def _check_fields(rules: Rules) -> None:
    """Check what can be said of the rules before they are computed: polars would name a method of its own."""
    for side in _SIDES:
        if not isinstance(value := getattr(rules, side), pl.Expr):
            raise InvalidParams(
                f"in Rules, {side} must be an expression that is true or false, such as pl.col('close_hfq') > 10, "
                f"not {_shown(value)}"
            )
    for name in _NUMBERS:
        if not isinstance(value := getattr(rules, name), pl.Expr | None):
            raise InvalidParams(
                f"in Rules, {name} must be an expression of numbers, such as pl.col('amount'), or None, "
                f"not {_shown(value)}"
            )
    values = rules.values
    each = values.items() if isinstance(values, Mapping) else [(name, name) for name in _listed(values)]
    for name, value in each:
        if not isinstance(name, str) or not isinstance(value, str | pl.Expr):
            raise _not_values(value if isinstance(name, str) else name)
    if not isinstance(rules.entry, str | None) or rules.entry not in _ENTRIES:
        raise InvalidParams(f"in Rules, entry must be 'open', 'board' or None, not {_shown(rules.entry)}")


def _listed(values: Any) -> Sequence[Any]:
    """Return the names of a list; a single text is none, though it has letters one after the other."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise _not_values(values)
    return values


def _not_values(value: Any) -> InvalidParams:
    return InvalidParams(
        "in Rules, values must be a list of columns, or names with a column or an expression each, such as "
        f"{{'ma5': pl.col('close_hfq').rolling_mean(5)}}, not {_shown(value)}"
    )


def _shown(value: Any) -> str:
    """Return a wrong value as a message shows it: itself where it is short, else its class."""
    text = repr(value) if isinstance(value, str | int | float | None) else ""
    return text if 0 < len(text) <= _LONGEST_VALUE else type(value).__name__


def _expressions(rules: Rules) -> list[pl.Expr]:
    given = (rules.buy, rules.sell, rules.score, rules.weight, *rules.explained.values())
    return [item for item in given if isinstance(item, pl.Expr)]


def _first_rows(symbols: pl.Series, bars: int, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are among the first `bars` of their symbol, and the places of those that must be computed.

    These are the first rows of all symbols of which one is wanted. The symbols are sorted.
    """
    lengths = symbols.rle().struct.field("len").to_numpy().astype(np.int64)
    starts, some = np.cumsum(lengths) - lengths, np.minimum(lengths, bars)
    places = np.arange(some.sum()) + np.repeat(starts - (np.cumsum(some) - some), some)
    first = np.zeros(len(symbols), bool)
    first[places] = True
    needed = np.repeat(np.arange(len(some)), some)
    asked = np.bincount(needed[wanted[places]], minlength=len(some)) > 0
    return first, places[asked[needed]]


def _columns_of_values(rules: Rules) -> dict[str, str]:
    """Return the column of each value that explains a signal."""
    explained = rules.explained.items()
    return {name: f"_value_{name}" if isinstance(value, pl.Expr) else value for name, value in explained}


def _decided(
    rules: Rules, rows: pl.DataFrame, wanted: pl.Series, over: str | None, places: np.ndarray | None = None
) -> pl.DataFrame:
    """Return the wanted rows with a signal, the purchases before the sales: side, entry, values and `_place`.

    Only conditions and values that are expressions are computed for all rows.
    """
    computed = {f"_value_{name}": value for name, value in rules.explained.items() if isinstance(value, pl.Expr)}
    computed |= {name: value for name in _NUMBERS if (value := getattr(rules, name)) is not None}
    expressions = {**{f"_{side}": getattr(rules, side) for side in _SIDES}, **computed}
    flagged = rows.lazy().with_columns(
        (expression.over(over) if over else expression).alias(name) for name, expression in expressions.items()
    )
    flagged = _as_wanted(flagged.select(*expressions).collect())
    stored = [name for name in dict.fromkeys(_columns_of_values(rules).values()) if name not in computed]
    rows = rows.select("symbol", "date", *(name for name in stored if name not in ("symbol", "date")))
    found = rows.hstack(flagged.select(*computed))
    frames = []
    for side in _SIDES:
        chosen = (flagged[f"_{side}"] & wanted).arg_true()
        place = chosen if places is None else pl.Series(places).gather(chosen)
        entry = pl.lit(rules.entry if side == "buy" else None, pl.String)
        frames.append(found[chosen].with_columns(side=pl.lit(side), entry=entry, _place=place.cast(pl.Int64)))
    return pl.concat(frames)


def _as_wanted(flagged: pl.DataFrame) -> pl.DataFrame:
    """Return the values of the rules: conditions of true or false, scores and weights of numbers; all may be null."""
    for side in _SIDES:
        if (kind := flagged.schema[f"_{side}"]) not in (pl.Boolean, pl.Null):
            raise InvalidParams(
                f"in Rules, {side} must be true or false on each row, but is {kind}; compare it with something, "
                "such as pl.col('close_hfq') > 10"
            )
    for name in _NUMBERS:
        if name in flagged.columns and not _is_number(flagged.schema[name]):
            raise InvalidParams(f"in Rules, {name} must be a number on each row, but is {flagged.schema[name]}")
    return flagged.with_columns(pl.col(f"_{side}").cast(pl.Boolean) for side in _SIDES)


def _is_number(kind: pl.DataType) -> bool:
    return kind.is_numeric() or kind == pl.Null


def _of_the_market(frame: Any, since: date) -> pl.DataFrame:
    if not isinstance(frame, pl.DataFrame):
        raise InvalidParams(f"it must return a polars frame, not {type(frame).__name__}")
    _check_columns(frame)
    if frame.select("symbol", "date", "side").is_duplicated().any():
        raise InvalidParams("its frame has two rows of one symbol, day and side")
    values = {name: name for name in frame.columns if name not in ("symbol", "date", "side", "weight", "entry")}
    return _signals(frame.filter(pl.col("date") >= since).sort("symbol", "date", "side"), values)


def _check_columns(frame: pl.DataFrame) -> None:
    """Check that a frame of the market has the columns of signals, and in them what may be there."""
    if missing := [name for name in ("symbol", "date", "side") if name not in frame.columns]:
        raise InvalidParams(f"its frame has no column {', '.join(missing)}")
    if (kind := frame.schema["date"]) != pl.Date:
        raise InvalidParams(f"its column date must hold dates (pl.Date), but holds {kind}")
    if frame["date"].has_nulls():
        raise InvalidParams("its column date has a row without a date")
    if not isinstance(kind := frame.schema["symbol"], pl.String | pl.Enum | pl.Categorical | pl.Null):
        raise InvalidParams(f"its column symbol must hold texts, but holds {kind}")
    for name in _NUMBERS:
        if name in frame.columns and not _is_number(frame.schema[name]):
            raise InvalidParams(f"its column {name} must hold numbers, but holds {frame.schema[name]}")
    for name, allowed in (("side", set(_SIDES)), ("entry", _ENTRIES)):
        if name in frame.columns and (wrong := set(frame[name].unique()) - allowed):
            raise InvalidParams(f"its column {name} may not have {wrong.pop()!r}")


def _signals(frame: pl.DataFrame, values: Mapping[str, str]) -> pl.DataFrame:
    optional = {
        name: (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kind) for name, kind in _OPTIONAL.items()
    }
    rounded = {name: optional[name].round_sig_figs(_DIGITS) for name in _NUMBERS}
    signals = frame.select("symbol", "date", "side", **{**optional, **rounded}, detail=_detail(values, frame.schema))
    _check_numbers(signals)
    return signals


def _check_numbers(signals: pl.DataFrame) -> None:
    """Check that scores and weights are finite, and that no purchase is for less than nothing or more than all."""
    for name in _NUMBERS:
        for symbol, day, value in (
            signals.filter(~pl.col(name).is_finite()).select("symbol", "date", name).head(1).rows()
        ):
            raise InvalidParams(
                f"its {name} of {symbol} on {day} is {value}; where it is not a finite number, give null: "
                f"pl.when({name}.is_finite()).then({name})"
            )
    beyond = (pl.col("side") == "buy") & ~pl.col("weight").is_between(0, 1)
    for symbol, day, value in signals.filter(beyond).select("symbol", "date", "weight").head(1).rows():
        raise InvalidParams(
            f"its weight of {symbol} on {day} is {value:g}; it is the share of the equity that a purchase is for, "
            "from 0 to 1, so that 0.05 is 5%"
        )


def _detail(values: Mapping[str, str], schema: pl.Schema) -> pl.Expr:
    """Return the values as text, such as `ma5 10.1235 ma20 10.0`; an unknown value is left out."""
    texts = [
        pl.format(f"{name} {{}}", pl.col(column).round(4) if schema[column].is_float() else column)
        for name, column in values.items()
    ]
    return pl.concat_str(texts, separator=" ", ignore_nulls=True) if texts else pl.lit("")
