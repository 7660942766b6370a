"""Data sources by name: each package below `sources/` declares one."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from mystocks_dagster.errors import UnknownName
from mystocks_dagster.settings import Settings
from mystocks_dagster.source_choice import source_names
from mystocks_dagster.sources.declaration import SourceDeclaration

if TYPE_CHECKING:  # importing polars takes 0.4 s, which a caller that needs only names does not wait for
    from mystocks_dagster.sources.protocol import MarketSource

DEFAULT = "akshare"


@cache
def declarations() -> Mapping[str, SourceDeclaration]:
    """Return the declarations of all sources by name, without importing their implementations."""
    return MappingProxyType({name: import_module(f"{__package__}.{name}").SOURCE for name in source_names()})


def is_simulated(name: str | None) -> bool:
    """Return whether the data of a source is invented; None is the default source."""
    declaration = declarations().get(name or DEFAULT)
    return declaration is not None and declaration.world == "simulated"


def open_source(name: str | None, settings: Settings) -> "MarketSource":
    """Open the source `name` without a network call; None is the default source.

    Raises:
        UnknownName: The source does not exist; the message lists the sources.
        SettingsError: A setting of the source is missing or invalid.
    """
    name = name or DEFAULT
    declaration = declarations().get(name)
    if declaration is None:
        near = get_close_matches(name.lower(), declarations(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"There is no data source {name!r}; the sources are {', '.join(declarations())}.{hint}")
    return declaration.open(settings)
