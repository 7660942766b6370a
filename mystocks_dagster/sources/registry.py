"""The sources by name: each package below `sources/` that declares one."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from mystocks_dagster.errors import SettingsError, UnknownName
from mystocks_dagster.settings import Settings, source_names
from mystocks_dagster.sources.declaration import SourceDeclaration

if TYPE_CHECKING:  # polars costs 0.4 s: what only asks for names starts without it
    from mystocks_dagster.sources.protocol import MarketSource

DEFAULT = "akshare"


@cache
def declarations() -> Mapping[str, SourceDeclaration]:
    """Return every source's declaration by its name; none of the sources is imported beyond that."""
    return MappingProxyType({name: import_module(f"{__package__}.{name}").SOURCE for name in source_names()})


def is_simulated(name: str | None) -> bool:
    """Say whether the numbers of that source are invented; None is the default source."""
    declared = declarations().get(name or DEFAULT)
    return declared is not None and declared.world == "simulated"


def open_source(name: str | None, settings: Settings) -> "MarketSource":
    """Open the source of that name; None is the default one. Opening costs no network call.

    Raises:
        UnknownName: There is no such source; the message lists those that exist.
        SettingsError: The source lacks a setting, or its options cannot be read.
    """
    name = name or DEFAULT
    declared = declarations().get(name)
    if declared is None:
        near = get_close_matches(name.lower(), declarations(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"There is no data source {name!r}; the sources are {', '.join(declarations())}.{hint}")
    if declared.implementation is None:
        *others, last = (source.name for source in declarations().values() if source.implementation)
        raise SettingsError(f"The source {name!r} is not available in this version; use {', '.join(others)} or {last}.")
    return declared.open(settings)
