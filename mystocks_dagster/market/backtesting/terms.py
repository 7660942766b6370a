"""The terms of a backtest: the account, its costs, and how orders are sized and filled."""

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

from mystocks_dagster.market.rules import COMMISSION_MIN, COMMISSION_RATE, Side, fees

Period = Literal["never", "weekly", "monthly", "quarterly"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The terms of one strategy's account.

    Attributes:
        initial_capital: CNY.
        max_positions: Most symbols held at once; each gets an equal share of the equity, unless a signal has a weight.
        commission_rate, commission_min: Of each order, a fraction of its amount, and at least so many CNY.
        slippage: The distance of a fill from the open against the order, as a fraction of the price.
        slippage_ticks: The same in ticks of 0.01 CNY; both are added.
        volume_share: The largest part of the day's volume that an order may be; None for no limit.
        dividends: `cash` pays them out and taxes them by holding period; `reinvest` holds shares / ratio, without tax.
        rights: `take` pays for the new shares of a rights issue where the cash is enough; `lapse` never does.
        delisting_value: The part of a delisted share's last close that comes back.
        rebalance: How often the holdings are brought back to their targets; with several strategies also the cash.
        holding_days: Trading days after which a position is sold; None for no end.
        stop_loss: The fall of a close below the cost of a position, as a fraction, at which it is sold; None for none.
    """

    initial_capital: float = 1_000_000.0
    max_positions: int = 10
    commission_rate: float = COMMISSION_RATE
    commission_min: float = COMMISSION_MIN
    slippage: float = 0.0
    slippage_ticks: int = 0
    volume_share: float | None = None
    dividends: Literal["cash", "reinvest"] = "cash"
    rights: Literal["take", "lapse"] = "take"
    delisting_value: float = 0.0
    rebalance: Period = "never"
    holding_days: int | None = None
    stop_loss: float | None = None

    def fees(self, side: Side, amount: float, day: date) -> float:
        """Return all fees of an order, in CNY."""
        return fees(side, amount, day, commission_rate=self.commission_rate, commission_min=self.commission_min).total

    def price(self, side: Side, quoted: float, lowest: int, highest: int) -> float:
        """Return the price of a fill in CNY: the quoted one with slippage, in whole cents, within the day's limits.

        The order itself may move the price, so it is not held within the prices of the day.

        Args:
            side: Buy or sell.
            quoted: The price without the order in CNY.
            lowest: The lower limit in cents.
            highest: The upper limit in cents.
        """
        if not self.slippage and not self.slippage_ticks:
            return quoted
        distance = quoted * self.slippage * 100 + self.slippage_ticks
        # Rounded against the order; the small number absorbs binary noise.
        if side == "buy":
            return min(math.ceil(quoted * 100 + distance - 1e-6), highest) / 100
        return max(math.floor(quoted * 100 - distance + 1e-6), lowest, 1) / 100


def same_period(period: Period, day: date, other: date) -> bool:
    """Return whether two days lie in the same week, month or quarter."""
    match period:
        case "weekly":
            return day.isocalendar()[:2] == other.isocalendar()[:2]
        case "monthly":
            return (day.year, day.month) == (other.year, other.month)
        case "quarterly":
            return (day.year, (day.month - 1) // 3) == (other.year, (other.month - 1) // 3)
    return True
