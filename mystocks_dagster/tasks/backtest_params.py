"""The parameters of backtests, as tasks.yaml states them."""

import math
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mystocks_dagster.errors import InvalidParams
from mystocks_dagster.market.backtesting.terms import Period, Terms
from mystocks_dagster.market.rules import COMMISSION_MIN, COMMISSION_RATE
from mystocks_dagster.strategies.choices import label_fault
from mystocks_dagster.strategies.registry import DEFAULT as STRATEGIES
from mystocks_dagster.tasks.param_types import Day, TaskParams, WindowParams

#: The parameters that are terms of the account, by the name that both have.
TERMS = (
    "initial_capital", "max_positions", "commission_rate", "commission_min", "slippage", "slippage_ticks",
    "volume_share", "dividends", "rights", "delisting_value", "rebalance", "holding_days", "stop_loss",
)  # fmt: skip


def known_strategy(name: str) -> str:
    """Return the name of a strategy, or a label that a task may give one.

    Raises:
        ValueError: There is none of that name.
    """
    if fault := label_fault(name):
        raise ValueError(fault)
    return name


class StrategyShare(TaskParams):
    """One of several strategies of a backtest."""

    name: str = Field(description="A strategy whose signals are stored.")
    weight: float = Field(gt=0, le=1, description="Its part of the capital, as a fraction.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_strategy(name)


class BacktestParams(WindowParams):
    """Parameters of `run_backtest`."""

    strategy_id: str = Field(
        default="",
        validate_default=True,
        description=f"A strategy, or its label in calculate_strategy_signals; empty means {STRATEGIES[0]}.",
    )
    strategies: list[StrategyShare] = Field(
        default=[], description="Several strategies with their weights, which add up to 1, instead of `strategy_id`."
    )
    start_date: Day = Field(default=None, description="First day to trade; empty means the first stored day.")
    end_date: Day = Field(default=None, description="Last day to trade; empty means the last stored day.")
    initial_capital: float = Field(default=1_000_000.0, ge=10_000, le=1e12, description="CNY.")
    max_positions: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Most symbols that a strategy holds at once; each gets an equal share of its equity.",
    )
    commission_rate: float = Field(
        default=COMMISSION_RATE, ge=0, le=0.01, description="Commission as a fraction of an order's amount."
    )
    commission_min: float = Field(
        default=COMMISSION_MIN, ge=0, le=100, description="Minimum commission per order, CNY."
    )
    slippage: float = Field(
        default=0.0, ge=0, le=0.1, description="Distance of a fill from the open, against the order, as a fraction."
    )
    slippage_ticks: int = Field(default=0, ge=0, le=100, description="The same in ticks of 0.01 CNY; both are added.")
    volume_share: float | None = Field(
        default=0.1, gt=0, le=1, description="Largest part of the day's volume that an order may be; null: no limit."
    )
    dividends: Literal["cash", "reinvest"] = Field(
        default="cash",
        description="`cash`: paid out, and taxed by holding period. `reinvest`: held shares follow the hfq prices.",
    )
    rights: Literal["take", "lapse"] = Field(
        default="take", description="Rights issues: `take` pays for the new shares if the cash is enough, or `lapse`."
    )
    delisting_value: float = Field(
        default=0.0, ge=0, le=1, description="Part of a delisted share's last close that comes back."
    )
    rebalance: Period = Field(
        default="never", description="How often holdings, and the cash of several strategies, return to their shares."
    )
    holding_days: int | None = Field(
        default=None, ge=1, le=2500, description="Trading days after which a holding is sold; empty: no end."
    )
    stop_loss: float | None = Field(
        default=None, gt=0, lt=1, description="Loss of a holding at a close at which it is sold, as a fraction."
    )
    benchmark: str = Field(default="", description="An index of the table index_bars, such as 000300.SH; empty: none.")
    survivorship: bool = Field(
        default=False, description="Also trade only the stocks that are still listed today, to show what that hides."
    )

    @field_validator("strategy_id")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_strategy(name) if name else STRATEGIES[0]

    @field_validator("benchmark")
    @classmethod
    def _index(cls, code: str) -> str:
        from mystocks_dagster.market.symbols import normalise  # imports polars, which not every task needs

        try:
            return normalise(code) if code else ""
        except InvalidParams as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _weights_add_up(self) -> Self:
        total = math.fsum(share.weight for share in self.strategies)
        names = [share.name for share in self.strategies]
        if self.strategies and abs(total - 1) > 1e-6:
            raise ValueError(f"the weights of the strategies add up to {total:g}; they must add up to 1")
        if len(set(names)) < len(names):
            raise ValueError(f"a strategy is given twice in {', '.join(names)}; give each one weight")
        return self

    @property
    def terms(self) -> Terms:
        """The account's terms."""
        return Terms(**{name: getattr(self, name) for name in TERMS})

    @property
    def weights(self) -> dict[str, float]:
        """The part of the capital of each strategy."""
        return {share.name: share.weight for share in self.strategies} or {self.strategy_id: 1.0}

    @property
    def label(self) -> str:
        """The strategies in one line."""
        weights = self.weights
        if len(weights) == 1:
            return next(iter(weights))
        return ", ".join(f"{name} {weight:.0%}" for name, weight in weights.items())

    def terms_of(self, **changes: Any) -> "BacktestParams":
        """Return the parameters with some changed, checked again."""
        return type(self).model_validate(self.model_dump() | changes)
