"""Technical indicators as 通达信 defines them: how their formulas are computed on frames of bars.

A formula is computed on the bars of one symbol in ascending order of date, without the days on which it did not trade.
A value is null until its window is full. Exponential moving averages start at the first bar, so their first values
depend on where the history starts (after five times the window by less than one percent of the first price).

The formulas are in `market.catalogue`; conventions and references: docs/indicators.md.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from mystocks_dagster.market.catalogue.calculation import Calculation, of_catalogue
from mystocks_dagster.market.catalogue.registry import STANDARD
from mystocks_dagster.market.formulas.bars import BARS, DAY

if TYPE_CHECKING:  # they import numba, which takes half a second
    from mystocks_dagster.market.formulas.evaluation import Bars
    from mystocks_dagster.market.formulas.plan import Plan

#: The five that are calculated when tasks.yaml names none.
INDICATORS = STANDARD


def columns_of(indicators: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of each indicator of the catalogue, with its default parameters.

    Examples:
        >>> columns_of(["MACD"])
        {'MACD': ['macd_dif', 'macd_dea', 'macd']}
    """
    return {name: [column for item in of_catalogue(name) for column in item.columns.values()] for name in indicators}


def planned(calculations: Sequence[Calculation]) -> "Plan":
    """Return the steps in which all columns of some calculations are computed together."""
    from mystocks_dagster.market.formulas.plan import plan

    return plan(*((item.formula, (), tuple(item.columns.items())) for item in calculations))


def bars_of(frame: pl.DataFrame, names: Sequence[str]) -> "Bars":
    """Return the bars of a frame as formulas read them.

    Args:
        frame: `symbol`, `date`, and the columns of `daily_bars` that the names stand for, in order of symbol and date;
            prices are hfq.
        names: Names that formulas give to columns of bars.
    """
    from mystocks_dagster.market.formulas.evaluation import Bars

    lengths = frame["symbol"].rle().struct.field("len").to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    days = (name for name in names if name == DAY)
    columns = {name: frame["date"].to_physical().to_numpy().astype(np.float64) for name in days}
    for name in names:
        if name != DAY:
            columns[name] = frame[BARS[name].column].cast(pl.Float64).to_numpy()
    return Bars(offsets, columns)


def stored_columns(names: Sequence[str]) -> list[str]:
    """Return the columns of `daily_bars` that formulas read by these names."""
    return [BARS[name].column for name in names if name != DAY]


def with_results(frame: pl.DataFrame, results: Mapping[str, np.ndarray]) -> pl.DataFrame:
    """Return `symbol`, `date`, `close_hfq` and the results, null where there is no value."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        columns = list(pool.map(lambda item: pl.Series(item[0], item[1], nan_to_null=True), results.items()))
    return frame.select("symbol", "date", close_hfq="close").with_columns(*columns)


def indicator_table(bars: pl.DataFrame, indicators: Sequence[str]) -> pl.DataFrame:
    """Compute indicators for all symbols of `bars`, one row per bar, in the same order.

    Args:
        bars: `symbol`, `date` and hfq `close`, `high`, `low` of the bars on which the symbol traded, in order of symbol
            and date.
        indicators: Names in the catalogue; they are computed with their default parameters.

    Returns:
        `symbol`, `date`, `close_hfq` and the columns of `indicators`.
    """
    from mystocks_dagster.market.formulas.evaluation import evaluate

    steps = planned([item for name in dict.fromkeys(indicators) for item in of_catalogue(name)])
    return with_results(bars, evaluate(steps, bars_of(bars, steps.bars)))
