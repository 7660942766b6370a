"""The shift test: what a strategy said on a day must not change when the days after it are not there yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from mystocks_dagster.strategies.choices import Choice
from mystocks_dagster.strategies.evaluation import signals_of

#: Days at which the rows are cut: so many with signals, and so many others.
_CUTS = 8
#: Differences that are reported.
_EXAMPLES = 5


@dataclass(frozen=True)
class Difference:
    """A signal that depends on what it must not depend on.

    Attributes:
        cut: `future`: without the days after `day`. `past`: with only the earlier bars that `lookback` states.
        day: The day of the cut.
        symbol: The symbol of the signal.
        date: The day of the signal.
        side: buy or sell.
        whole: The signal's values with all rows; None if there is no signal.
        part: Its values with the rows that are left; None if there is no signal.
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
        without = f"the days after {self.day}" if self.cut == "future" else "the bars before its lookback"
        known = f"with all days it is {self.whole!r}" if self.whole is not None else "with all days there is none"
        alone = f"it is {self.part!r}" if self.part is not None else "there is none"
        return f"{self.symbol} {self.date} {self.side}: {known}, without {without} {alone}."


@dataclass(frozen=True)
class ShiftTest:
    """The outcome of a shift test.

    Attributes:
        signals: The number of signals that were compared.
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
    whole = signals_of(choice, rows)
    days = _cut_days(rows, whole)
    differences: list[Difference] = []
    for day in days:
        part = signals_of(choice, rows.filter(pl.col("date") <= day))
        differences += _differences("future", day, whole.filter(pl.col("date") <= day), part)
    bars = choice.bars_needed
    for day in days if bars is not None else ():
        part = signals_of(choice, _tail(rows, day, bars or 0), day)
        differences += _differences("past", day, whole.filter(pl.col("date") >= day), part)
    cuts = len(days) * (1 if bars is None else 2)
    return ShiftTest(whole.height, cuts, tuple(differences[:_EXAMPLES]))


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


def _differences(cut: str, day: date, whole: pl.DataFrame, part: pl.DataFrame) -> Iterator[Difference]:
    key = ["symbol", "date", "side"]
    said = pl.concat_str("detail", pl.col("score", "weight").round(9), "entry", separator=" ", ignore_nulls=True)
    frames = (frame.select(pl.col("symbol").cast(pl.String), "date", "side", said=said) for frame in (whole, part))
    left, right = frames
    both = left.join(right, on=key, how="full", coalesce=True, suffix="_part").sort("date", "symbol", "side")
    for row in both.filter(pl.col("said").ne_missing(pl.col("said_part"))).head(_EXAMPLES).iter_rows():
        yield Difference(cut, day, *row)
