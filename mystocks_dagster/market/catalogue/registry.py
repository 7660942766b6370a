"""All indicators of the catalogue by name."""

from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from mystocks_dagster.market.catalogue import bands, oscillators, trend, volume
from mystocks_dagster.market.catalogue.definition import Definition

#: Each module with the title of its part of docs/indicators.md.
PARTS: Mapping[str, ModuleType] = MappingProxyType(
    {"Trend": trend, "Range": bands, "Oscillators": oscillators, "Volume": volume}
)


def definitions(module: ModuleType) -> list[Definition]:
    """Return the indicators that a module defines, in its order."""
    return [value for value in vars(module).values() if isinstance(value, Definition)]


#: The indicators by their names.
CATALOGUE: Mapping[str, Definition] = MappingProxyType(
    {definition.name: definition for module in PARTS.values() for definition in definitions(module)}
)
#: The five that are calculated when tasks.yaml names none; their columns are the contract of the indicator tables.
STANDARD = ("MA", "MACD", "KDJ", "RSI", "BOLL")

_NAMES: Mapping[str, Definition] = MappingProxyType(
    {name: definition for definition in CATALOGUE.values() for name in (definition.name, *definition.aliases)}
)
#: Every name that tasks.yaml may use.
NAMES: tuple[str, ...] = tuple(_NAMES)


def definition(name: str) -> Definition:
    """Return the indicator of a name or alias.

    Raises:
        KeyError: The catalogue has none of that name.
    """
    return _NAMES[name]
