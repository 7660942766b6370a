"""The shift test: what a strategy or an indicator says of a day must not change when later days are not there yet."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
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
#: The part by which prices are changed to find ties: far more than what sums and long averages differ by.
_SHAKE = 1e-5
_KEY = ("symbol", "date", "side")
#: Takes rows and the first day to return, and returns `symbol`, `date`, `side` and `said`.
_Said = Callable[[pl.DataFrame, date], pl.DataFrame]
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
        place = f"{self.symbol} {self.date} {self.side}"
        whole, part = self._in_words(self.whole), self._in_words(self.part)
        if self.cut == "future":
            return f"{place}: {whole} with all days, {part} without the days after {self.day}."
        return f"{place}: {whole} with all days, {part} with no more bars before {self.day} than its lookback."

    def _in_words(self, said: str | None) -> str:
        if self.side not in ("buy", "sell"):
            return "no value" if said is None else said
        if said is None:
            return "no signal"
        if not said:
            return "the signal"
        return f"the signal {said!r}"


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


def indicator_shift_test(definition: Definition, params: Mapping[str, Any], rows: pl.DataFrame) -> ShiftTest:
    """Do the same with the values of an indicator, to nine digits.

    Args:
        definition: The indicator.
        params: The values of its parameters.
        rows: The rows that it reads, of some symbols, sorted by symbol and date.

    Raises:
        InvalidParams: The code of the indicator fails.
    """
    expressions = expressions_of(definition, params)

    def values(frame: pl.DataFrame, since: date) -> pl.DataFrame:
        outputs = values_of(definition, expressions, frame)
        computed = frame.select("symbol", "date").hstack(outputs).filter(pl.col("date") >= since)
        return computed.unpivot(index=["symbol", "date"], variable_name="side", value_name="said").filter(
            pl.col("said").is_finite()
        )

    whole, part = pl.col("said"), pl.col("said_part")
    usual = whole.abs().mean().over("symbol", "side")
    large = pl.max_horizontal(whole.abs(), usual, 1e-3)
    differs = whole.is_null() | part.is_null() | ((whole - part).abs() > _TOLERANCE * large)
    return _compared(values, rows, definition.bars_needed(params), differs)


def _compared(said: _Said, rows: pl.DataFrame, bars: int | None, differs: pl.Expr) -> ShiftTest:
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
        until = pl.col("date") <= day
        part = said(rows.filter(until), date.min)
        differing = _differing(whole.filter(until), part.filter(until), differs)
        differences += _examples("future", day, differing)
    if bars is not None:
        differences += _past(said, rows, whole, days, bars, differs)
    cuts = len(days) * (1 if bars is None else 2)
    once = {(found.cut, found.symbol, found.date, found.side): found for found in reversed(differences)}
    return ShiftTest(whole.height, cuts, tuple(reversed(once.values()))[:_EXAMPLES])


def _past(
    said: _Said, rows: pl.DataFrame, whole: pl.DataFrame, days: Sequence[date], bars: int, differs: pl.Expr
) -> Iterator[Difference]:
    """Yield what differs without the bars before the lookback.

    Running sums over other rows end in other bits. Where two averages are equal, these bits decide which is larger. So
    a difference counts only if it is there with slightly other prices too, where no two averages are equal.
    """

    def differing(rows: pl.DataFrame, whole: pl.DataFrame, day: date) -> pl.DataFrame:
        return _differing(whole.filter(pl.col("date") >= day), said(_tail(rows, day, bars), day), differs)

    @cache
    def shaken() -> tuple[pl.DataFrame, pl.DataFrame]:
        other = _shaken(rows)
        return other, said(other, date.min)

    for day in days:
        if not (found := differing(rows, whole, day)).is_empty():
            again = differing(*shaken(), day)
            confirmed = found.join(again, on=_KEY, how="semi", nulls_equal=True, maintain_order="left")
            yield from _examples("past", day, confirmed)


def _shaken(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with slightly other numbers, each row by a factor of its own: what is equal in a row stays equal.

    Whole numbers stay: they are counts, or add up without rounding.
    """
    factor = pl.Series(1 + _SHAKE * np.random.default_rng(0).uniform(-1, 1, rows.height))
    number = pl.selectors.float()
    return rows.with_columns(pl.when(number == number.round()).then(number).otherwise(number * factor))


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


def _differing(whole: pl.DataFrame, part: pl.DataFrame, differs: pl.Expr) -> pl.DataFrame:
    """Return `symbol`, `date`, `side`, `said` and `said_part` where they differ, sorted by day."""
    left, right = (frame.with_columns(pl.col("symbol").cast(pl.String)) for frame in (whole, part))
    both = left.join(right, on=_KEY, how="full", coalesce=True, suffix="_part", nulls_equal=True)
    return both.sort("date", "symbol", "side").filter(differs)


def _examples(cut: str, day: date, differing: pl.DataFrame) -> Iterator[Difference]:
    found = (
        Difference(cut, day, symbol, at, side, *(None if value is None else str(value) for value in values))
        for symbol, at, side, *values in differing.iter_rows()
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
