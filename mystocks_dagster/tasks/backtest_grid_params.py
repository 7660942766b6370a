"""The parameters of a grid of backtests, as tasks.yaml states them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mystocks_dagster.excerpts import suggest, with_remedy
from mystocks_dagster.market.backtesting.grid import combinations
from mystocks_dagster.strategies.choices import Choice, choice_of
from mystocks_dagster.strategies.definition import Definition
from mystocks_dagster.strategies.registry import strategies
from mystocks_dagster.taskfile.pydantic_errors import faults
from mystocks_dagster.tasks.backtest_params import TERMS, BacktestParams

#: More combinations are refused: they fit the past by chance.
MOST = 5_000
#: The parameter of a grid that names strategies.
STRATEGY = "strategy_id"

Metric = Literal["sharpe", "sortino", "calmar", "total_return", "annual_return", "profit_factor", "win_rate", "alpha"]


class GridParams(BacktestParams):
    """Parameters of `run_backtest_grid`; those of `run_backtest` hold for all combinations."""

    grid: dict[str, list[Any]] = Field(
        description="Values by parameter: terms such as max_positions or stop_loss, parameters of the strategy, and "
        "strategy_id for several strategies. All combinations are tried."
    )
    metric: Metric = Field(default="sharpe", description="The figure by which the best combination is chosen.")
    train_days: int | None = Field(
        default=None, ge=20, description="Walk-forward: trading days by which a combination is chosen; empty: none."
    )
    test_days: int | None = Field(default=None, ge=5, description="Walk-forward: trading days that test the choice.")
    processes: int | None = Field(
        default=None, ge=1, le=256, description="Empty: one for each core, or the workers of MYSTOCKS_ENGINE."
    )

    @property
    def strategy_ids(self) -> list[str]:
        """The strategies: those of the grid, or the one of all combinations."""
        return list(dict.fromkeys(self.grid.get(STRATEGY) or [self.strategy_id]))

    @property
    def points(self) -> list[dict[str, Any]]:
        """All combinations."""
        return combinations(self.grid)

    def strategy_of(self, point: Mapping[str, Any]) -> str:
        """Return the strategy of a combination."""
        return point.get(STRATEGY, self.strategy_id)

    def choice(self, point: Mapping[str, Any]) -> Choice | None:
        """Return the strategy of a combination with its parameters; None if stored signals are used."""
        own = {name: value for name, value in point.items() if name not in (*TERMS, STRATEGY)}
        return choice_of({"name": self.strategy_of(point), **own}) if own else None

    @model_validator(mode="after")
    def _is_a_grid(self) -> Self:
        if self.strategies or self.survivorship:
            raise ValueError(
                "a grid is of one strategy_id, or of several in grid: leave out strategies and survivorship"
            )
        if (self.train_days is None) != (self.test_days is None):
            raise ValueError("a walk-forward needs both train_days and test_days")
        if self.metric == "alpha" and not self.benchmark:
            raise ValueError("alpha needs a benchmark")
        if empty := [name for name, values in self.grid.items() if not values]:
            raise ValueError(f"the grid has no values of {', '.join(empty)}")
        number = math.prod(len(values) for values in self.grid.values())
        if not self.grid or number > MOST:
            raise ValueError(f"the grid has {number if self.grid else 0:,} combinations; give 1 to {MOST:,}")
        return self

    @model_validator(mode="after")
    def _has_valid_values(self) -> Self:
        for value in self.grid.get(STRATEGY, ()):
            self._check(STRATEGY, value, ())
        # None stands for the label of an entry in tasks.yaml, whose stored signals are used.
        known = [strategies().get(name) for name in self.strategy_ids]
        definitions = [definition for definition in known if definition]
        fields = [*definitions[0].fields] if definitions and None not in known else []
        fields = [name for name in fields if all(name in definition.fields for definition in definitions)]
        for name, values in self.grid.items():
            if name not in (*TERMS, STRATEGY) and name not in fields:
                raise ValueError(f"the grid has no parameter {name!r}. {suggest(name, [*TERMS, STRATEGY, *fields])}")
            for index, value in enumerate(values):
                self._check(name, value, definitions)
                if value in values[:index]:
                    raise ValueError(f"the grid's {name} has {value!r} twice. Keep one of them")
        if {*self.grid} & {*fields}:
            self._check_completeness(definitions)
        return self

    def _check_completeness(self, definitions: Sequence[Definition]) -> None:
        for definition in definitions:
            for name, field in definition.model.model_fields.items():
                if field.is_required() and name not in self.grid:
                    raise ValueError(
                        f"the grid has no {name}, which {definition.name} needs. "
                        f"Add {name}: [VALUE]; a list of one value holds for all combinations"
                    )

    def _check(self, name: str, value: Any, definitions: Sequence[Definition]) -> None:
        """Check one value by itself: no parameter of a strategy depends on another one."""
        models = [BacktestParams] if name in (*TERMS, STRATEGY) else [definition.model for definition in definitions]
        for model in models:
            try:
                model.model_validate({name: value}, strict=True if model is BacktestParams else None)
            except ValidationError as error:
                for found in faults(error, model, {name: value}):
                    if name in found.path:
                        reason = with_remedy(found.message, found.hint)
                        raise ValueError(f"the grid's {name} {value!r}: {reason}") from None
