"""The declaration of a source, readable without opening the source."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from mystocks_dagster.settings import Settings

if TYPE_CHECKING:  # importing polars takes 0.4 s, and a declaration does not need it
    from mystocks_dagster.sources.protocol import MarketSource

HOUR = 3600.0

#: The past that a source has of a table: all days since `Offer.first`, some newest days, or the present only.
Past = Literal["all", "recent", "latest"]
#: What `Offer.requests` pay for: one trading day of the whole market, the past of one symbol, one report period, the
#: whole past of the whole market, or one snapshot of the present.
CostUnit = Literal["day", "symbol", "period", "history", "snapshot"]
#: The stock exchanges, as symbols end.
EXCHANGES = ("SH", "SZ", "BJ")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One table that a source can fill: for which days, at what cost, with which fields.

    A table has several offers if its cost or its days differ by the way it is requested.

    Attributes:
        table: Name of the table.
        past: The days that the source has.
        first: With `past` all, the first day; None if it is not known before the source is opened.
        unit: What `requests` pay for. `symbol` also means that rows are available for named symbols only.
        requests: The largest number of requests of one unit; 0 if the source needs no network.
        null_columns: Columns that the source leaves unknown.
        exchanges: The exchanges that it covers.
        published: The time in Shanghai from which a trading day is complete; None if it has none.
        note: A remark for the table in docs/sources.md.
    """

    table: str
    past: Past
    first: date | None = None
    unit: CostUnit = "day"
    requests: int = 0
    null_columns: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = EXCHANGES
    published: time | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class HostRule:
    """The request limits of an upstream; hosts that share a rule share its limits.

    Attributes:
        name: The rule's name, also that of its state file.
        hosts: Host names or their endings.
        gap: Minimum seconds between two requests.
        ban: Seconds without a request after the host has banned us.
        drops_are_bans: Whether a connection closed without a response means a ban.
        daily: Requests of one day (Shanghai), of all processes, after which a backfill sends none. Other loads go on.
            None is no such limit.
        tables: The tables by trading day that a backfill loads from these hosts, if its source has several rules.
    """

    name: str
    hosts: tuple[str, ...]
    gap: float = 1.0
    ban: float = HOUR / 4
    drops_are_bans: bool = False
    daily: int | None = None
    tables: tuple[str, ...] = ()

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
        offers: The tables that it fills; empty if they depend on its settings.
        offers_note: With empty `offers`, the tables in words.
        implementation: `module:class` of its `MarketSource`, imported and constructed from the settings when the
            source is opened.
        package: The Python package that it requires.
        hosts: The hosts that it requires, with a port if it is not 443; `mystocks doctor` connects to them.
        host_rules: The request limits of its hosts.
        redirected: Returns the address of the stand-in that replaces its hosts: a URL or host:port; None without one.
        has_files: Returns whether the source reads the user's files in place of its hosts.
        ready: Returns why a source without hosts is ready, for `mystocks doctor`; called after the source was opened.
    """

    name: str
    about: str
    world: Literal["real", "simulated"]
    needs: str
    implementation: str
    offers: tuple[Offer, ...] = ()
    offers_note: str = ""
    package: str | None = None
    hosts: tuple[str, ...] = ()
    host_rules: tuple[HostRule, ...] = ()
    redirected: Callable[[Settings], str | None] = lambda settings: settings.upstream
    has_files: Callable[[Settings], bool] = lambda _: False
    ready: Callable[[Settings], str] = lambda _: "it needs no network"

    @property
    def tables(self) -> frozenset[str]:
        """Names of the declared tables: the `offers` of its `MarketSource`, unless they depend on its settings."""
        return frozenset(offer.table for offer in self.offers)

    def offers_of(self, table: str) -> tuple[Offer, ...]:
        """Return the offers of a table; empty if it is not declared."""
        return tuple(offer for offer in self.offers if offer.table == table)

    def rule_of(self, table: str) -> HostRule | None:
        """Return the rule of the hosts from which a backfill loads a table; None without one."""
        rules = self.host_rules
        return rules[0] if len(rules) == 1 else next((rule for rule in rules if table in rule.tables), None)

    def open(self, settings: Settings) -> "MarketSource":
        """Open the source without a network call.

        Raises:
            SettingsError: A setting is missing or invalid.
        """
        module, _, name = self.implementation.partition(":")
        return getattr(import_module(module), name)(settings)
