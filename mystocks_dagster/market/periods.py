"""Weekly and monthly bars from daily bars."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
import polars as pl

Period = Literal["daily", "weekly", "monthly"]
PERIODS: tuple[Period, ...] = get_args(Period)

#: The Monday that begins the week of 1970-01-01, in days since then.
_MONDAY = -3

_Reduce = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
#: How the bars of a period become one: takes the values, and the first and last position of each period.
_REDUCTIONS: Mapping[str, _Reduce] = MappingProxyType(
    {
        "date": lambda values, _, last: values[last],
        "open": lambda values, first, _: values[first],
        "high": lambda values, first, _: np.maximum.reduceat(values, first),
        "low": lambda values, first, _: np.minimum.reduceat(values, first),
        "close": lambda values, _, last: values[last],
        "volume": lambda values, first, _: np.add.reduceat(values, first),
        "amount": lambda values, first, _: np.add.reduceat(values, first),
        "turnover": lambda values, first, _: np.add.reduceat(values, first),
    }
)


def period_start(day: date, period: Period) -> date:
    """Return the first day of the period that has the day: the day itself, the Monday, or the first of the month."""
    if period == "daily":
        return day
    return day - timedelta(days=day.weekday()) if period == "weekly" else day.replace(day=1)


def period_numbers(days: np.ndarray, period: Period) -> np.ndarray:
    """Return a number for each day, the same for all days of one period and rising with time.

    Args:
        days: Days since 1970-01-01.
        period: The period.
    """
    if period == "daily":
        return days
    if period == "weekly":
        return (days - _MONDAY) // 7
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)


def period_bars(bars: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return one bar per symbol and period in which it traded, in order of symbol and date.

    A week is from Monday to Sunday. First open, highest high, lowest low, last close, and sums of the others. The date
    is the last day of the period on which the symbol traded, so that of the running period changes daily.

    Args:
        bars: `symbol` (an `Enum` or `Categorical`, or strings), `date`, and any of `open`, `high`, `low`, `close`,
            `volume`, `amount` and `turnover` of the days on which the symbol traded, adjusted to one scale and in order
            of symbol and date.
        period: The period; daily bars are returned as they are.
    """
    if period == "daily" or bars.is_empty():
        return bars
    days = bars["date"].to_physical().to_numpy()
    numbers = period_numbers(days, period)
    lengths = bars["symbol"].rle().struct.field("len").to_numpy()
    begins = np.zeros(len(days), dtype=bool)
    begins[np.cumsum(lengths) - lengths] = True
    begins[1:] |= numbers[1:] != numbers[:-1]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(days)) - 1
    columns = {"symbol": bars["symbol"].gather(first)}
    for name in bars.columns:
        if name != "symbol":
            values = bars[name].to_physical().to_numpy()
            columns[name] = pl.Series(_REDUCTIONS[name](values, first, last)).cast(bars.schema[name])
    return pl.DataFrame(columns)
