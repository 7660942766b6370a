"""The shift test: what a strategy or an indicator says of a day must not change when later days are not there yet."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

import polars as pl

from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.evaluation import signals_of
from mystocks_dagster.strategies.own_indicators import expressions_of, values_of

#: Days at which the rows are cut: so many with signals, and so many others.
_CUTS = 8
#: Differences that are reported.
_EXAMPLES = 5
#: Sums of other rows differ in the last digits.
_TOLERANCE = 1e-9
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Difference:
    """A signal that depends on what it must not depend on.

    Attributes:
        cut: `future`: without the days after `day`. `past`: with only the earlier bars that `lookback` states.
        day: The day of the cut.
        symbol: The symbol of the signal.
        date: The day of the signal.
        side: buy or sell; of an indicator the name of the output.
        whole: The values with all rows; None if there is no signal, or no value.
        part: The values with the rows that are left; None if there is no signal, or no value.
    """

    cut: str
    day: date
    symbol: str
    date: date
    side: str
    whole: str | None
    part: str | None

    def __str__(self) -> str:
        """Return it as a sentence."""
        whole, part = ("no value" if text is None else repr(text) for text in (self.whole, self.part))
        place = f"{self.symbol} {self.date} {self.side}"
        if self.cut == "future":
            return f"{place}: {whole} with all days, {part} without the days after {self.day}."
        return f"{place}: {whole} with all days, {part} without the bars before its lookback."


@dataclass(frozen=True)
class ShiftTest:
    """The outcome of a shift test.

    Attributes:
        signals: The number of signals, or of values, that were compared.
        cuts: The number of cuts.
        differences: The first signals that differ; empty if the test is passed.
    """

    signals: int
    cuts: int
    differences: tuple[Difference, ...]


def shift_test(choice: Choice, rows: pl.DataFrame) -> ShiftTest:
    """Compare a strategy's signals with those that it gives without later days, and without bars before its lookback.

    Args:
        choice: The strategy.
        rows: The rows that it reads, of some symbols, sorted by symbol and date.
    """
    said = pl.concat_str("detail", pl.col("score", "weight").round(9), "entry", separator=" ", ignore_nulls=True)

    def signals(frame: pl.DataFrame, since: date) -> pl.DataFrame:
        return signals_of(choice, frame, since).select("symbol", "date", "side", said=said)

    return _compared(signals, rows, choice.bars_needed, pl.col("said").ne_missing(pl.col("said_part")))


def indicator_shift_test(
    definition: Definition, params: Mapping[str, Any], rows: pl.DataFrame, *, lookback: bool = True
) -> ShiftTest:
    """Do the same with the values of an indicator, to nine digits.

    Args:
        definition: The indicator.
        params: The values of its parameters.
        rows: The rows that it reads, of some symbols, sorted by symbol and date.
        lookback: Whether its lookback is tested too.

    Raises:
        InvalidParams: The code of the indicator fails.
    """
    expressions = expressions_of(definition, params)

    def values(frame: pl.DataFrame, since: date) -> pl.DataFrame:
        outputs = values_of(definition, expressions, frame)
        computed = frame.select("symbol", "date").hstack(outputs).filter(pl.col("date") >= since)
        return computed.unpivot(index=["symbol", "date"], variable_name="side", value_name="said").drop_nulls()

    whole, part = pl.col("said"), pl.col("said_part")
    differs = (
        whole.is_null() | part.is_null() | ((whole - part).abs() > _TOLERANCE * pl.max_horizontal(whole.abs(), 1e-3))
    )
    return _compared(values, rows, definition.bars_needed(params) if lookback else None, differs)


def _compared(
    said: Callable[[pl.DataFrame, date], pl.DataFrame], rows: pl.DataFrame, bars: int | None, differs: pl.Expr
) -> ShiftTest:
    """Compare what is said of all rows with what is said of parts of them.

    Args:
        said: Takes rows and the first day to return, and returns `symbol`, `date`, `side` and `said`.
        rows: The rows.
        bars: The lookback; None is the whole past.
        differs: True where `said` and `said_part` differ.
    """
    whole = said(rows, date.min)
    days = _cut_days(rows, whole)
    differences: list[Difference] = []
    for day in days:
        part = said(rows.filter(pl.col("date") <= day), date.min)
        differences += _differences("future", day, whole.filter(pl.col("date") <= day), part, differs)
    for day in days if bars is not None else ():
        part = said(_tail(rows, day, bars or 0), day)
        differences += _differences("past", day, whole.filter(pl.col("date") >= day), part, differs)
    cuts = len(days) * (1 if bars is None else 2)
    once = {(found.cut, found.symbol, found.date, found.side): found for found in reversed(differences)}
    return ShiftTest(whole.height, cuts, tuple(reversed(once.values()))[:_EXAMPLES])


def _cut_days(rows: pl.DataFrame, signals: pl.DataFrame) -> list[date]:
    """Return days across the whole span, half of them with signals: a look ahead by one bar shows there."""
    return sorted({*_spread(signals["date"]), *_spread(rows["date"])})


def _spread(days: pl.Series) -> Sequence[date]:
    unique = days.unique().sort()
    return unique.gather_every(max(1, len(unique) // _CUTS), offset=min(len(unique) // (2 * _CUTS), 5)).to_list()


def _tail(rows: pl.DataFrame, day: date, bars: int) -> pl.DataFrame:
    """Return the rows from a day on, and of each symbol the last `bars` before it."""
    before = (pl.col("date") < day).sum().cast(pl.Int64).over("symbol")
    return rows.filter(pl.int_range(pl.len()).over("symbol") >= before - bars)


def _differences(
    cut: str, day: date, whole: pl.DataFrame, part: pl.DataFrame, differs: pl.Expr
) -> Iterator[Difference]:
    key = ["symbol", "date", "side"]
    left, right = (frame.with_columns(pl.col("symbol").cast(pl.String)) for frame in (whole, part))
    both = left.join(right, on=key, how="full", coalesce=True, suffix="_part").sort("date", "symbol", "side")
    differing = both.filter(differs).iter_rows()
    found = (
        Difference(cut, day, symbol, at, side, *(None if value is None else str(value) for value in values))
        for symbol, at, side, *values in differing
    )
    yield from islice((item for item in found if not _is_rounding(item.whole, item.part)), _EXAMPLES)


def _is_rounding(whole: str | None, part: str | None) -> bool:
    """Return whether two texts differ in the last printed digit of their numbers only.

    A rolling mean over other rows ends in other bits, and these decide how a tie is rounded.

    Examples:
        >>> _is_rounding("mean 16.1375 of 20", "mean 16.1376 of 20"), _is_rounding("mean 1.0", "mean 1.1")
        (True, False)
    """
    if whole is None or part is None or _NUMBER.sub("0", whole) != _NUMBER.sub("0", part):
        return False
    pairs = zip(_NUMBER.finditer(whole), _NUMBER.finditer(part), strict=True)
    return all(one[0] == other[0] or _are_near(one, other) for one, other in pairs)


def _are_near(one: re.Match[str], other: re.Match[str]) -> bool:
    """Return whether two printed fractions differ by one unit of the digit that they are rounded to.

    A detail has four digits and a score nine; zeros at the end are not printed. Whole numbers have none.
    """
    digits = max(len(one[1] or ""), len(other[1] or ""))
    unit = 1e-4 if digits <= 4 else 1e-9
    return digits > 0 and abs(float(one[0]) - float(other[0])) <= 1.01 * unit
