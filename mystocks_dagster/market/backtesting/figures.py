"""All figures of a backtest, from its equity, its trades and its benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mystocks_dagster.market.backtesting.engine import BacktestResult
from mystocks_dagster.market.backtesting.metrics import (
    Activity,
    Comparison,
    Fall,
    Performance,
    activity,
    compare,
    largest_fall,
    performance,
)


@dataclass(frozen=True)
class Figures:
    """All figures of a backtest."""

    performance: Performance
    fall: Fall
    activity: Activity
    comparison: Comparison | None

    def named(self) -> dict[str, Any]:
        """Return the figures by their column of `backtests`."""
        fall = {f"drawdown_{name}": day for name, day in self.fall._asdict().items()}
        compared = self.comparison._asdict() if self.comparison else {}
        return self.performance._asdict() | fall | self.activity._asdict() | compared


def measure(outcome: BacktestResult, benchmark: Sequence[float] | None = None) -> Figures:
    """Measure a backtest, against the benchmark's value of each day if there is one."""
    equity = [balance.equity for balance in outcome.balances]
    amounts = {"buy": 0.0, "sell": 0.0}
    for trade in outcome.trades:
        amounts[trade.side] += trade.shares * trade.price
    closed = [trade.profit for trade in outcome.trades] + [event.profit for event in outcome.events]
    profits = [profit for profit in closed if profit is not None]
    holdings = [balance.holdings for balance in outcome.balances]
    return Figures(
        performance=performance(equity),
        fall=largest_fall([balance.date for balance in outcome.balances], equity),
        activity=activity(equity, holdings, amounts["buy"], amounts["sell"], profits),
        comparison=compare(equity, benchmark) if benchmark else None,
    )
