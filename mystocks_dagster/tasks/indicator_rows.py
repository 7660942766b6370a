"""Rows of indicators from bars and the state before them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mystocks_dagster.lake.sorting import with_text_symbols
from mystocks_dagster.market.indicators import bars_of, with_results
from mystocks_dagster.market.periods import Period, period_bars

if TYPE_CHECKING:  # it imports numba
    from mystocks_dagster.market.formulas.plan import Plan


@dataclass
class Carried:
    """The state of a plan for the symbols seen so far.

    Attributes:
        places: The row of each symbol in the arrays.
        steps: The state of each step by its version.
    """

    places: dict[str, int] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, plan: "Plan") -> "Carried":
        """Return the state before the first bar."""
        return cls({}, {version: np.zeros((0, size)) for version, size in plan.states.items()})

    def rows_of(self, symbols: Sequence[str]) -> np.ndarray:
        """Return the rows of symbols; those that are new get one."""
        new = [symbol for symbol in symbols if symbol not in self.places]
        for symbol in new:
            self.places[symbol] = len(self.places)
        if new:
            self.steps = {
                version: np.vstack([values, np.zeros((len(new), values.shape[1]))])
                for version, values in self.steps.items()
            }
        return np.array([self.places[symbol] for symbol in symbols], np.int64)

    def reset(self, symbols: Sequence[str]) -> None:
        """Return to the state before the first bar of some symbols."""
        rows = self.rows_of(symbols)
        for values in self.steps.values():
            values[rows] = 0.0


def computed(plan: "Plan", carried: Carried, bars: pl.DataFrame, *, keep: bool) -> pl.DataFrame:
    """Return the rows of indicators of some bars.

    Args:
        plan: What is computed.
        carried: The state before the bars, which becomes the state after them if `keep`.
        bars: Bars of one period, hfq, in order of symbol and date.
        keep: Whether the bars are final.
    """
    from mystocks_dagster.market.formulas.evaluation import evaluate

    rows = carried.rows_of(bars["symbol"].rle().struct.field("value").cast(pl.String).to_list())
    state = {version: values[rows] for version, values in carried.steps.items()}
    results = evaluate(plan, bars_of(bars, plan.bars), state)
    if keep:
        for version, values in state.items():
            carried.steps[version][rows] = values
    return with_results(bars, _finite(results))


def period_rows(plan: "Plan", carried: Carried, daily: pl.DataFrame, period: Period, until: date) -> pl.DataFrame:
    """Return the rows of the bars of a period; the state is carried on to the day `until`.

    Args:
        plan: What is computed.
        carried: The state before the bars, which becomes the state before `until`.
        daily: Daily bars, hfq, in order of symbol and date.
        period: The period.
        until: The first day of the running period. What cannot be carried on has no state, and sees all bars at once.
    """
    if not plan.carried:
        until = date.max
    closed, running = daily.filter(pl.col("date") < until), daily.filter(pl.col("date") >= until)
    parts = [
        computed(plan, carried, period_bars(part, period), keep=keep)
        for part, keep in ((closed, True), (running, False))
        if part.height
    ]
    return pl.concat(with_text_symbols(part) for part in parts)


def _finite(results: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return results in which an infinite value, such as that of EXP(1000), is no value."""
    for values in results.values():
        infinite = np.isinf(values)
        if infinite.any():
            values[infinite] = np.nan
    return results
