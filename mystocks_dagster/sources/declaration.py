"""What a source declares of itself, known without opening it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from mystocks_dagster.settings import Settings

if TYPE_CHECKING:  # polars costs 0.4 s, and a declaration needs none of it
    from mystocks_dagster.sources.protocol import MarketSource

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class HostRule:
    """How one upstream wants to be treated; hosts that share a rule share its limits.

    Attributes:
        name: Also the name of its file.
        hosts: The hosts' names or their endings.
        gap: Seconds between two requests.
        ban: Seconds for which it is left alone after it has thrown us out.
        drops_are_bans: A connection closed without an answer means that it has thrown us out.
    """

    name: str
    hosts: tuple[str, ...]
    gap: float = 1.0
    ban: float = HOUR / 4
    drops_are_bans: bool = False

    def covers(self, host: str) -> bool:
        """Say whether the rule is about that host."""
        return any(host == name or host.endswith(f".{name}") for name in self.hosts)


@dataclass(frozen=True, kw_only=True)
class SourceDeclaration:
    """One data source: `SOURCE` in the `__init__.py` of its package below `sources/`.

    Attributes:
        name: As written in `data_source`: the name of its package.
        about: What it is, for the table in docs/sources.md.
        world: `real`, or `simulated` when its numbers are invented.
        needs: What it needs, for the same table. Its option is `Settings.source_option(name)`: `MYSTOCKS_<NAME>`.
        offers: The tables that it fills, in words, for the same table.
        implementation: `module:class` of its `MarketSource`, which is made from the settings and imported only when
            the source is opened; None for a source that this version does not have yet.
        package: The Python package that it cannot do without.
        hosts: The hosts that it cannot do without; `mystocks doctor` connects to them.
        host_rules: How its hosts want to be treated.
        ready: Says what makes it ready, for `mystocks doctor`; asked of a source without hosts that could be opened.
    """

    name: str
    about: str
    world: Literal["real", "simulated"]
    needs: str
    offers: str
    implementation: str | None
    package: str | None = None
    hosts: tuple[str, ...] = ()
    host_rules: tuple[HostRule, ...] = ()
    ready: Callable[[Settings], str] = lambda _: "it needs no network"

    def open(self, settings: Settings) -> "MarketSource":
        """Open the source; this costs no network call.

        Raises:
            SettingsError: It lacks a setting, or its options cannot be read.
        """
        module, _, name = (self.implementation or "").partition(":")
        return getattr(import_module(module), name)(settings)
