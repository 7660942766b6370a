"""All functions of the language by name."""

from collections.abc import Mapping
from types import MappingProxyType

from mystocks_dagster.market.formulas.function import Function
from mystocks_dagster.market.formulas.library.arithmetic import ARITHMETIC
from mystocks_dagster.market.formulas.library.averages import AVERAGES
from mystocks_dagster.market.formulas.library.conditions import CONDITIONS
from mystocks_dagster.market.formulas.library.dates import DATES
from mystocks_dagster.market.formulas.library.future import FUTURE
from mystocks_dagster.market.formulas.library.references import REFERENCES
from mystocks_dagster.market.formulas.library.shapes import SHAPES
from mystocks_dagster.market.formulas.library.statistics import STATISTICS

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {**REFERENCES, **AVERAGES, **CONDITIONS, **ARITHMETIC, **STATISTICS, **DATES, **SHAPES, **FUTURE}
)
