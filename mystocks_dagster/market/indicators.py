"""Technical indicators as 通达信 defines them: formulas, and the columns that hold their outputs.

A formula is computed on the bars of one symbol in ascending order of date, without the days on which it did not trade.
A value is null until its window is full. Exponential moving averages start at the first bar, so their first values
depend on where the history starts (after five times the window by less than one percent of the first price).

Conventions and references: docs/indicators.md.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl

from mystocks_dagster.market.formulas.bars import BARS, DAY
from mystocks_dagster.market.formulas.parser import parse_formula
from mystocks_dagster.market.formulas.syntax import Formula

if TYPE_CHECKING:  # they import numba, which takes half a second
    from mystocks_dagster.market.formulas.evaluation import Bars
    from mystocks_dagster.market.formulas.plan import Plan

Indicator = Literal["MA", "MACD", "KDJ", "RSI", "BOLL"]
INDICATORS: tuple[Indicator, ...] = get_args(Indicator)

MA_WINDOWS = (5, 10, 20, 60)
RSI_WINDOWS = (6, 12, 24)

#: The columns of each indicator, named as in `tables.indicators.INDICATORS_DAILY`.
COLUMNS = MappingProxyType(
    {
        "MA": tuple(f"ma{window}" for window in MA_WINDOWS),
        "MACD": ("macd_dif", "macd_dea", "macd"),
        "KDJ": ("kdj_k", "kdj_d", "kdj_j"),
        "RSI": tuple(f"rsi{window}" for window in RSI_WINDOWS),
        "BOLL": ("boll_mid", "boll_upper", "boll_lower"),
    }
)

#: The bar of MACD is twice the western histogram. RSV of KDJ is 50 where all prices of its window are equal. STD of
#: BOLL is the sample's.
FORMULAS: Mapping[str, str] = MappingProxyType(
    {
        "MA": "".join(f"MA{window}:MA(CLOSE,{window});" for window in MA_WINDOWS),
        "MACD": "DIF:EMA(CLOSE,12)-EMA(CLOSE,26); DEA:EMA(DIF,9); MACD:(DIF-DEA)*2;",
        "KDJ": """
            RANGE9:=HHV(HIGH,9)-LLV(LOW,9);
            RSV:=IF(BARSCOUNT(CLOSE)<9,DRAWNULL,IF(RANGE9=0,50,(CLOSE-LLV(LOW,9))/RANGE9*100));
            K:SMA(RSV,3,1); D:SMA(K,3,1); J:3*K-2*D;""",
        "RSI": "MOVE:=CLOSE-REF(CLOSE,1);"
        + "".join(f"RSI{n}:SMA(MAX(MOVE,0),{n},1)/SMA(ABS(MOVE),{n},1)*100;" for n in RSI_WINDOWS),
        "BOLL": "MID:MA(CLOSE,20); UPPER:MID+2*STD(CLOSE,20); LOWER:MID-2*STD(CLOSE,20);",
    }
)


@dataclass(frozen=True)
class Calculation:
    """A formula with the columns of its outputs.

    Attributes:
        name: The indicator's name.
        formula: The parsed formula; its parameters have the values to compute with.
        columns: Output of the formula to the column that holds it.
        text: The formula as written.
    """

    name: str
    formula: Formula
    columns: Mapping[str, str]
    text: str = ""


@cache
def calculation(name: Indicator) -> Calculation:
    """Return the calculation of one of the five indicators."""
    formula = parse_formula(FORMULAS[name], name)
    outputs = (statement.name or "" for statement in formula.outputs)
    return Calculation(name, formula, dict(zip(outputs, COLUMNS[name], strict=True)), FORMULAS[name])


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


def indicator_table(bars: pl.DataFrame, indicators: Sequence[Indicator]) -> pl.DataFrame:
    """Compute indicators for all symbols of `bars`, one row per bar, in the same order.

    Args:
        bars: `symbol`, `date` and hfq `close`, `high`, `low` of the bars on which the symbol traded, in order of symbol
            and date.
        indicators: The indicators to compute.

    Returns:
        `symbol`, `date`, `close_hfq` and the columns of `indicators`.
    """
    from mystocks_dagster.market.formulas.evaluation import evaluate

    steps = planned([calculation(name) for name in dict.fromkeys(indicators)])
    return with_results(bars, evaluate(steps, bars_of(bars, steps.bars)))
