"""What the author of a strategy writes: the decorator, and the rules that a strategy returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import polars as pl

F = TypeVar("F", bound=Callable[..., Any])

#: The attributes by which decorated functions are known.
MARK, INDICATOR_MARK = "__strategy__", "__indicator__"


@dataclass(frozen=True)
class Rules:
    """The rules of a strategy, as expressions on the rows of one symbol in ascending order of date.

    A null condition gives no signal. An expression that looks ahead, such as `shift(-1)`, is refused when the
    strategy runs, and found by `mystocks strategies check`.

    Attributes:
        buy: True on the days with a buy signal.
        sell: True on the days with a sell signal.
        values: The values that explain a signal, for its `detail`: names of columns, or names with a column or an
            expression each. An expression costs as much as a condition; a column costs nothing.
        score: Which of several purchases of one day comes first, the highest first; null means unknown, which comes
            last.
        weight: The share of the equity that a purchase is for; without it, all purchases are equal.
        entry: Where a purchase is filled: `open` at the next day's open, `board` at its upper limit (打板), if the bar
            proves that the stock was not sealed there.
    """

    buy: pl.Expr
    sell: pl.Expr
    values: Mapping[str, str | pl.Expr] | Sequence[str] = ()
    score: pl.Expr | None = None
    weight: pl.Expr | None = None
    entry: Literal["open", "board"] | None = None

    @property
    def explained(self) -> Mapping[str, str | pl.Expr]:
        """The values by the name under which the detail shows them."""
        return self.values if isinstance(self.values, Mapping) else {name: name for name in self.values}


def strategy(*, reads: Sequence[str], lookback: str | int | None = None) -> Callable[[F], F]:
    """Make a function a strategy of its name. The file is read without running it, so arguments are written out.

    The function takes the strategy's parameters, each with a type and a default, and returns `Rules`. If its first
    parameter is named `market`, it receives the rows of the whole market, sorted by symbol and date, and returns a
    frame with `symbol`, `date`, `side` and perhaps `score`, `weight` and `entry`; its other columns, and the score,
    become the detail.

    Args:
        reads: The columns that it needs, see docs/strategies.md.
        lookback: The number of earlier bars of a symbol that decide about a signal, as a number or as arithmetic with
            the parameters, such as "2 * days + 1". Then a new day reads only those; without it, the whole history.
    """

    def mark(function: F) -> F:
        vars(function)[MARK] = {"reads": tuple(reads), "lookback": lookback}
        return function

    return mark


def indicator(*, reads: Sequence[str], outputs: Sequence[str], lookback: str | int | None = None) -> Callable[[F], F]:
    """Make a function an indicator of its name. The file is read without running it, so arguments are written out.

    The function takes the indicator's parameters, each with a type and a default, and returns an expression for each
    output: `{"line": pl.col("close_hfq").rolling_mean(n)}`. The expressions see the rows of one symbol in ascending
    order of date, without suspended days. The column of an output is `<name>_<output>`.

    Args:
        reads: Any of `open_hfq`, `high_hfq`, `low_hfq`, `close_hfq`, `volume`, `amount` and `turnover`.
        outputs: The names of the outputs.
        lookback: As in `strategy`; without it, all values are computed again with each new day.
    """

    def mark(function: F) -> F:
        vars(function)[INDICATOR_MARK] = {"reads": tuple(reads), "outputs": tuple(outputs), "lookback": lookback}
        return function

    return mark
