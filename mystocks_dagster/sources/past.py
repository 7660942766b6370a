"""Which source can give a past trading day of a table, and at what cost; or why none can."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from mystocks_dagster.errors import MyStocksError
from mystocks_dagster.settings import Settings
from mystocks_dagster.sources.declaration import Offer, SourceDeclaration
from mystocks_dagster.sources.preference import preferred
from mystocks_dagster.sources.registry import declarations, open_source

#: What costs the same however many days are loaded.
_FLAT = "history"


@dataclass(frozen=True, kw_only=True)
class PastOffer:
    """A source's offer of past days of a table.

    Attributes:
        source: Name of the source.
        first: The first day that it has; None if all.
        last: The last day that it has; None if all.
        only: The only days that it has; None if there is no such limit.
        requests: Number of requests, for each day or once.
        flat: Whether the requests are made once, however many days are loaded.
    """

    source: str
    first: date | None = None
    last: date | None = None
    only: frozenset[date] | None = None
    requests: int = 0
    flat: bool = False

    def has(self, day: date) -> bool:
        """Return whether the source has that day."""
        if self.only is not None:
            return day in self.only
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    @property
    def days(self) -> str:
        """The days that it has, in words."""
        if self.only is not None:
            return f"has only the days {', '.join(f'{day}' for day in sorted(self.only))}"
        return f"has only days from {self.first or 'the beginning'} to {self.last or 'today'}"

    def cost(self, days: int) -> int:
        """Return the number of requests for so many days."""
        return self.requests if self.flat else self.requests * days


@dataclass(frozen=True, kw_only=True)
class PastOffers:
    """What the sources of a table have of its past.

    Attributes:
        offers: In order of preference.
        reasons: Why each other source has nothing, as a clause that begins with its name.
    """

    offers: tuple[PastOffer, ...]
    reasons: tuple[str, ...]

    def joined(self, others: Self) -> Self:
        """Return these offers, and then those of `others` that are not among them."""
        offers = tuple(dict.fromkeys((*self.offers, *others.offers)))
        return replace(self, offers=offers, reasons=tuple(dict.fromkeys((*self.reasons, *others.reasons))))

    def instead(self, offer: PastOffer) -> Self:
        """Return these with an offer as the first one, in place of all that its source declares, and of its reason."""
        offers = tuple(item for item in self.offers if item.source != offer.source)
        reasons = tuple(reason for reason in self.reasons if not reason.startswith(f"{offer.source} "))
        return replace(self, offers=(offer, *offers), reasons=reasons)

    def cheapest(self, day: date, days: int, without: Collection[str] = ()) -> PastOffer | None:
        """Return the offer with the fewest requests for that day, of a load of so many; the preferred one of equals."""
        able = [offer for offer in self.offers if offer.has(day) and offer.source not in without]
        return min(able, key=lambda offer: offer.cost(days), default=None)

    def why_not(self, day: date, without: Collection[str] = ()) -> str:
        """Return why no source can give that day."""
        tried = [f"{name} has no more rows of it" for name in dict.fromkeys(without)]
        others = [offer for offer in self.offers if offer.source not in without]
        outside = [f"{offer.source} {offer.days}" for offer in others if not offer.has(day)]
        return "; ".join((*tried, *outside, *self.reasons)) or "no source offers this table"


def past_offers(table: str, named: Sequence[str], newest: date, settings: Settings, world: str | None) -> PastOffers:
    """Return what the sources have of a table's past, without a network call.

    Args:
        table: Name of the table.
        named: The sources to consider, the preferred one first; empty means all of the world, in the table's order of
            preference. A source that cannot be opened has nothing.
        newest: The newest published day, which a source of the present has.
        settings: With the options of the sources.
        world: The lake's world; None if it is empty.
    """
    offers: list[PastOffer] = []
    reasons: list[str] = []
    for declaration in _considered(table, named, world):
        found = _of_source(declaration, table, newest, settings)
        if isinstance(found, str):
            reasons.append(found)
        else:
            offers += found
    return PastOffers(offers=tuple(offers), reasons=tuple(reasons))


def _considered(table: str, named: Sequence[str], world: str | None) -> Iterator[SourceDeclaration]:
    known, kind = declarations(), (world or "real").partition(":")[0]
    if named:
        yield from (known[name] for name in named if name in known and (not world or known[name].world == kind))
        return
    names = [name for name, source in known.items() if source.world == kind]
    yield from (known[name] for name in preferred(table, names))


def _of_source(declaration: SourceDeclaration, table: str, newest: date, settings: Settings) -> list[PastOffer] | str:
    name = declaration.name
    if not declaration.offers:
        return _of_settings(declaration, table, settings)
    declared = declaration.offers_of(table)
    usable = [_past(name, offer, newest) for offer in declared if offer.unit in ("day", _FLAT)]
    if usable:
        return usable if (fault := _closed(declaration, settings)) is None else fault
    if any(offer.unit == "symbol" for offer in declared):
        return f"{name} has the past of single symbols only"
    return f"{name} does not offer {table}"


def _closed(declaration: SourceDeclaration, settings: Settings) -> str | None:
    """Return why a source cannot be opened, such as a missing key; None if it can. Opening needs no network."""
    try:
        open_source(declaration.name, settings)
    except MyStocksError as error:
        return f"{declaration.name} cannot be used ({error})"
    return None


def _past(source: str, offer: Offer, newest: date) -> PastOffer:
    if offer.past != "all":
        return PastOffer(source=source, only=frozenset({newest}), requests=offer.requests)
    return PastOffer(source=source, first=offer.first, requests=offer.requests, flat=offer.unit == _FLAT)


def _of_settings(declaration: SourceDeclaration, table: str, settings: Settings) -> list[PastOffer] | str:
    """Return the offer of a source whose tables depend on its settings; it is opened, which needs no network."""
    try:
        source = open_source(declaration.name, settings)
        if table not in source.offers:
            return f"{declaration.name} has no files of {table}"
        first, last = source.bar_days() if table == "daily_bars" else (None, None)
    except MyStocksError as error:
        return f"{declaration.name} cannot be used ({error})"
    return [PastOffer(source=declaration.name, first=first, last=last)]
