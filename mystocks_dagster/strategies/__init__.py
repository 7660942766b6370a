"""Trading strategies: each is one small function, here in `shipped/` or in the project's `strategies/` folder.

A file of the project imports what it needs from here: `from mystocks_dagster.strategies import Rules, strategy`.
"""

from mystocks_dagster.strategies.conditions import begins, crosses_above
from mystocks_dagster.strategies.formulas import Formula, formula_values
from mystocks_dagster.strategies.ranking import best_of_each_period
from mystocks_dagster.strategies.writing import Rules, indicator, strategy

__all__ = [
    "Formula",
    "Rules",
    "begins",
    "best_of_each_period",
    "crosses_above",
    "formula_values",
    "indicator",
    "strategy",
]
