"""All primitives by name. Importing this module imports numba."""

from collections.abc import Mapping
from types import MappingProxyType

from mystocks_dagster.market.kernels import (
    arithmetic,
    averages,
    conditions,
    elementwise,
    extremes,
    future,
    positions,
    recursions,
    shapes,
    statistics,
    varying,
    windows,
)
from mystocks_dagster.market.kernels.primitive import Primitive

#: Modules that declare primitives.
_MODULES = (
    elementwise,
    arithmetic,
    windows,
    extremes,
    recursions,
    averages,
    statistics,
    conditions,
    positions,
    shapes,
    future,
    varying,
)


def _by_name() -> dict[str, tuple[Primitive, ...]]:
    primitives: dict[str, tuple[Primitive, ...]] = {}
    for module in _MODULES:
        for primitive in module.PRIMITIVES:
            primitives[primitive.name] = (*primitives.get(primitive.name, ()), primitive)
    return primitives


#: The ways to compute each function; the first whose numbers are numbers in the formula is taken.
PRIMITIVES: Mapping[str, tuple[Primitive, ...]] = MappingProxyType(_by_name())
