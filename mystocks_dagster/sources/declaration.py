"""The declaration of a source, readable without opening the source."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from mystocks_dagster.settings import Settings

if TYPE_CHECKING:  # importing polars takes 0.4 s, and a declaration does not need it
    from mystocks_dagster.sources.protocol import MarketSource

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class HostRule:
    """The request limits of an upstream; hosts that share a rule share its limits.

    Attributes:
        name: The rule's name, also that of its state file.
        hosts: Host names or their endings.
        gap: Minimum seconds between two requests.
        ban: Seconds without a request after the host has banned us.
        drops_are_bans: Whether a connection closed without a response means a ban.
    """

    name: str
    hosts: tuple[str, ...]
    gap: float = 1.0
    ban: float = HOUR / 4
    drops_are_bans: bool = False

    def covers(self, host: str) -> bool:
        """Return whether the rule applies to `host`."""
        return any(host == name or host.endswith(f".{name}") for name in self.hosts)


@dataclass(frozen=True, kw_only=True)
class SourceDeclaration:
    """One data source: `SOURCE` in the `__init__.py` of its package below `sources/`.

    Attributes:
        name: The value of `data_source`, which is the name of its package.
        about: What it is, for the table in docs/sources.md.
        world: `real`, or `simulated` if its data is invented.
        needs: What it requires, for the same table. Its option is `Settings.source_option(name)`: `MYSTOCKS_<NAME>`.
        offers: The tables that it fills, in words, for the same table.
        implementation: `module:class` of its `MarketSource`, imported and constructed from the settings when the
            source is opened; None for a source that is not available in this version.
        package: The Python package that it requires.
        hosts: The hosts that it requires, with a port if it is not 443; `mystocks doctor` connects to them.
        host_rules: The request limits of its hosts.
        redirected: Returns the address of the stand-in that replaces its hosts: a URL or host:port; None without one.
        ready: Returns why a source without hosts is ready, for `mystocks doctor`; called after the source was opened.
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
    redirected: Callable[[Settings], str | None] = lambda settings: settings.upstream
    ready: Callable[[Settings], str] = lambda _: "it needs no network"

    def open(self, settings: Settings) -> "MarketSource":
        """Open the source without a network call.

        Raises:
            SettingsError: A setting is missing or invalid.
        """
        module, _, name = (self.implementation or "").partition(":")
        return getattr(import_module(module), name)(settings)
