"""Performance figures of an equity curve and its trades. A year has 244 trading days; nothing is risk-free."""

import math
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np

#: Trading days per year, as Chinese funds count them.
YEAR = 244
#: The minimum number of daily returns for an annual figure of the return.
ENOUGH = 20


class Performance(NamedTuple):
    """Performance figures as fractions: 0.05 is +5%.

    Attributes:
        total_return: Last equity / first equity - 1.
        annual_return: The same, compounded to a year of 244 trading days; None below 20 daily returns.
        max_drawdown: Largest fall from a peak, as a positive fraction.
        sharpe: Mean / sample standard deviation of daily returns, times the square root of 244, without a risk-free
            rate; None if the deviation is 0.
        volatility: Sample standard deviation of daily returns, times the square root of 244; None below two returns.
        sortino: Mean of daily returns / root of the mean of the squared negative ones (0 for the others), times the
            square root of 244; None without a negative one.
        calmar: annual_return / max_drawdown; None without a drawdown.
    """

    total_return: float
    annual_return: float | None
    max_drawdown: float
    sharpe: float | None
    volatility: float | None = None
    sortino: float | None = None
    calmar: float | None = None


def performance(equity: Sequence[float]) -> Performance:
    """Measure an equity curve, one positive value per trading day.

    Examples:
        >>> performance([100.0, 110.0, 99.0]).max_drawdown
        0.1
    """
    values = np.asarray(equity, dtype=np.float64)
    returns = daily_returns(values)
    total = float(values[-1] / values[0] - 1)
    annual = (1 + total) ** (YEAR / len(returns)) - 1 if len(returns) >= ENOUGH else None
    fall = float(drawdowns(values).max())
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else None
    downside = math.sqrt(float((np.minimum(returns, 0) ** 2).mean())) if len(returns) else 0.0
    mean = float(returns.mean()) if len(returns) else 0.0
    return Performance(
        total_return=total,
        annual_return=annual,
        max_drawdown=fall,
        sharpe=mean / deviation * math.sqrt(YEAR) if deviation else None,
        volatility=None if deviation is None else deviation * math.sqrt(YEAR),
        sortino=mean / downside * math.sqrt(YEAR) if downside else None,
        calmar=annual / fall if annual is not None and fall else None,
    )


def daily_returns(equity: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return each day's equity / that of the day before - 1."""
    values = np.asarray(equity, dtype=np.float64)
    return values[1:] / values[:-1] - 1


def drawdowns(equity: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return each day's fall from the highest equity so far, as a positive fraction."""
    values = np.asarray(equity, dtype=np.float64)
    peaks = np.maximum.accumulate(values)
    return (peaks - values) / peaks


class Fall(NamedTuple):
    """The largest drawdown: the days of its peak, its lowest equity, and the return to the peak (None: not yet)."""

    peak: date | None
    trough: date | None
    recovered: date | None


def largest_fall(days: Sequence[date], equity: Sequence[float]) -> Fall:
    """Return the days of the largest drawdown; None without one."""
    values = np.asarray(equity, dtype=np.float64)
    falls = drawdowns(values)
    lowest = int(falls.argmax())
    if not falls[lowest]:
        return Fall(None, None, None)
    peak = int(values[: lowest + 1].argmax())
    later = np.flatnonzero(values[lowest:] >= values[peak])
    return Fall(days[peak], days[lowest], days[lowest + int(later[0])] if len(later) else None)


class Comparison(NamedTuple):
    """An equity curve against a benchmark, as fractions.

    Attributes:
        benchmark_return: The benchmark's last value / its first - 1.
        excess_return: The total return less that of the benchmark.
        beta: Covariance of the daily returns / variance of the benchmark's; None if that is 0.
        alpha: The mean daily return less beta x the benchmark's, compounded to a year of 244 trading days; None below
            20 daily returns.
    """

    benchmark_return: float
    excess_return: float
    beta: float | None
    alpha: float | None


def compare(equity: Sequence[float], benchmark: Sequence[float]) -> Comparison:
    """Measure an equity curve against a benchmark of the same days."""
    own, other = daily_returns(equity), daily_returns(benchmark)
    beta = None
    if len(other) > 1 and other.var() > 0:
        beta = float(((own - own.mean()) * (other - other.mean())).mean() / other.var())
    alpha = None
    if beta is not None and len(own) >= ENOUGH:
        alpha = float((1 + own.mean() - beta * other.mean()) ** YEAR - 1)
    total, gained = equity[-1] / equity[0] - 1, benchmark[-1] / benchmark[0] - 1
    return Comparison(gained, total - gained, beta, alpha)


class Activity(NamedTuple):
    """The trades of an account.

    Attributes:
        win_rate: Sales (and delistings) with a profit / all of them, 0.6 is 60%; None without one.
        profit_factor: Sum of the profits / sum of the losses; None without a loss.
        turnover: The smaller of the amounts bought and sold / mean equity, per year of 244 trading days.
        exposure: Mean of holdings / equity.
    """

    win_rate: float | None
    profit_factor: float | None
    turnover: float
    exposure: float


def activity(
    equity: Sequence[float], holdings: Sequence[float], bought: float, sold: float, profits: Sequence[float]
) -> Activity:
    """Measure the trades of an account.

    Args:
        equity: CNY by trading day.
        holdings: The value of the shares held by trading day, CNY.
        bought: Sum of the amounts of all purchases, CNY.
        sold: Sum of the amounts of all sales, CNY.
        profits: The profit of each sale, CNY.
    """
    values, held = np.asarray(equity, dtype=np.float64), np.asarray(holdings, dtype=np.float64)
    gains = math.fsum(profit for profit in profits if profit > 0)
    losses = -math.fsum(profit for profit in profits if profit < 0)
    return Activity(
        win_rate=sum(profit > 0 for profit in profits) / len(profits) if profits else None,
        profit_factor=gains / losses if losses else None,
        turnover=min(bought, sold) / float(values.mean()) * YEAR / max(1, len(values) - 1),
        exposure=float((held / values).mean()),
    )
