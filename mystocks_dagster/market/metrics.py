"""Performance figures of an equity curve."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Trading days per year, as Chinese funds count them.
YEAR = 244
#: The minimum number of daily returns for an annual return.
ENOUGH = 20


class Performance(NamedTuple):
    """Performance figures as fractions: 0.05 is +5%.

    Attributes:
        total_return: Last equity / first equity - 1.
        annual_return: The same, compounded to a year of 244 trading days; None below 20 daily returns.
        max_drawdown: Largest fall from a peak, as a positive fraction.
        sharpe: Mean / sample standard deviation of daily returns, times the square root of 244, without a risk-free
            rate; None if the deviation is 0.
    """

    total_return: float
    annual_return: float | None
    max_drawdown: float
    sharpe: float | None


def performance(equity: Sequence[float]) -> Performance:
    """Measure an equity curve, one positive value per trading day.

    Examples:
        >>> performance([100.0, 110.0, 99.0]).max_drawdown
        0.1
    """
    total = equity[-1] / equity[0] - 1
    returns = [later / earlier - 1 for earlier, later in pairwise(equity)]
    return Performance(
        total_return=total,
        annual_return=(1 + total) ** (YEAR / len(returns)) - 1 if len(returns) >= ENOUGH else None,
        max_drawdown=_max_drawdown(equity),
        sharpe=_sharpe(returns),
    )


def _max_drawdown(equity: Sequence[float]) -> float:
    peak, worst = equity[0], 0.0
    for value in equity:
        peak = max(peak, value)
        worst = max(worst, (peak - value) / peak)
    return worst


def _sharpe(returns: Sequence[float]) -> float | None:
    if len(returns) < 2:
        return None
    deviation = statistics.stdev(returns)
    return statistics.fmean(returns) / deviation * math.sqrt(YEAR) if deviation > 0 else None
